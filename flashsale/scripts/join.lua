-- Give a shopper the next number of the line, once.
--
-- Guarantee: one number per shopper, however often they join; numbers go up without a gap.
--
-- KEYS  1 numbers  2 last
-- ARGV  1 shopper  2 a number that a ticket proves, or 0
-- Returns {number, 1 when it is new}.

local number = redis.call('HGET', KEYS[1], ARGV[1])
if number then return {tonumber(number), 0} end
local proven = tonumber(ARGV[2])
if proven > 0 then
  -- Redis lost its counters: the ticket brings the place back, and the next number goes behind it.
  if tonumber(redis.call('GET', KEYS[2]) or '0') < proven then redis.call('SET', KEYS[2], proven) end
  redis.call('HSET', KEYS[1], ARGV[1], proven)
  return {proven, 0}
end
number = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], number)
return {number, 1}
