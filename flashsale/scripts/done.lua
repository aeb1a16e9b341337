-- Give the admission of a refused shopper back, if there is nothing left for them to do inside.
--
-- Guarantee: it is kept while any unit of any item may be claimed and the shopper may claim one.
--
-- KEYS  1 active  2 gate  3 takers
-- ARGV  1 shopper
-- Returns 1 when an admission was given back.

local free, limit = 0, nil
local gate = redis.call('HGETALL', KEYS[2])
for index = 1, #gate, 2 do
  if gate[index] == 'limit' then limit = tonumber(gate[index + 1]) end
  if string.sub(gate[index], 1, 5) == 'free:' then free = free + tonumber(gate[index + 1]) end
end
if not limit then return 0 end
local record = redis.call('HGET', KEYS[3], ARGV[1])
local taken = record and tonumber(string.match(record, '^%d+')) or 0
if free > 0 and taken < limit then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
