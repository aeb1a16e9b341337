-- Bring a counter back that Redis lost, without taking away what was counted since.
--
-- KEYS  1 the counter
-- ARGV  1 what it has been at the least

local least = tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[1]) or '0') < least then redis.call('SET', KEYS[1], least, 'KEEPTTL') end
return 1
