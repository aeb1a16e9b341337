-- Shorten the admission of somebody whose browser closed the page; remember how long it was.
--
-- Guarantee: no admission is made, and none gets longer; saying it twice is saying it once.
--
-- KEYS  1 active  2 away
-- ARGV  1 shopper  2 end of the grace (ms)
-- Returns 1 when the admission got shorter.

local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) <= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ends)
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 1
