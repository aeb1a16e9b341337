-- Give a shopper the next number of the line, once; or find that they were in the lobby, and have a place of the draw.
--
-- Guarantee: one number per shopper, however often they join; numbers go up without a gap. A number that a ticket
-- proves is never lost, and new ones go behind it.
--
-- KEYS  1 numbers  2 last  3 entrants (HyperLogLog)  4 seen (bits; see lobby.lua)
-- ARGV  1 shopper  2 a number that a ticket proves, or 0  3 the least that the last number may be, or '' for who asks first
--       4 entrants up to which the bits are believed  5.. the shopper's bits; none without a draw, or with a ticket
-- Returns {number, 1 when it is new}; number is 0 for a place of the draw, and -1 when the counter is not there and
-- ARGV 3 says nothing: read what the last number was, and ask again.

if #ARGV > 4 then
  local bits, was_there = {}, true
  for index = 5, #ARGV do
    for _, word in ipairs({'GET', 'u1', ARGV[index]}) do bits[#bits + 1] = word end
  end
  for _, bit in ipairs(redis.call('BITFIELD', KEYS[4], unpack(bits))) do was_there = was_there and bit == 1 end
  if was_there and redis.call('PFCOUNT', KEYS[3]) <= tonumber(ARGV[4]) then return {0, 0} end
end

local last = redis.call('GET', KEYS[2])
if not last and ARGV[3] == '' then return {-1, 0} end
last = math.max(tonumber(last or '0'), tonumber(ARGV[3]) or 0)
local proven = tonumber(ARGV[2])
local number = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if proven > 0 and (number == 0 or proven < number) then
  -- Redis lost its counters: the ticket brings the place back, also to somebody who came without it in between.
  number = proven
  redis.call('HSET', KEYS[1], ARGV[1], number)
end
local is_new = 0
if number == 0 then
  number, is_new = last + 1, 1
  redis.call('HSET', KEYS[1], ARGV[1], number)
end
-- A sale that has just ended has given its keys an end, which a late joiner must not take away.
redis.call('SET', KEYS[2], math.max(last, number), 'KEEPTTL')
return {number, is_new}
