-- Give a shopper the next number of the line, once; or find that they were in the lobby, and have a place of the draw.
--
-- Guarantee: one number per shopper, however often they join; numbers go up without a gap.
--
-- KEYS  1 numbers  2 last  3 entrants (HyperLogLog)  4 seen (bits; see lobby.lua)
-- ARGV  1 shopper  2 a number that a ticket proves, or 0  3 entrants up to which the bits are believed
--       4.. the shopper's bits; none when there was no draw, or a ticket says more
-- Returns {number, 1 when it is new}; number 0 is a place of the draw.

if #ARGV > 3 then
  local bits, was_there = {}, true
  for index = 4, #ARGV do
    for _, word in ipairs({'GET', 'u1', ARGV[index]}) do bits[#bits + 1] = word end
  end
  for _, bit in ipairs(redis.call('BITFIELD', KEYS[4], unpack(bits))) do was_there = was_there and bit == 1 end
  if was_there and redis.call('PFCOUNT', KEYS[3]) <= tonumber(ARGV[3]) then return {0, 0} end
end

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
