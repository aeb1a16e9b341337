-- Count a shopper among the lobby's entrants and remember that they came.
--
-- Guarantee: coming again changes nothing. What is remembered is a Bloom filter (B. H. Bloom, 1970): nobody who
-- came is forgotten; somebody who did not come is taken for one who did as rarely as the filter is empty.
--
-- KEYS  1 entrants (HyperLogLog)  2 seen (bits)
-- ARGV  1 shopper  2 the last bit of the filter  3.. the shopper's bits
-- Returns 1 when the shopper is new.

-- Born at its full size: grown bit by bit it would take up to twice as much.
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SETBIT', KEYS[2], ARGV[2], 0) end

local bits = {}
for index = 3, #ARGV do
  for _, word in ipairs({'SET', 'u1', ARGV[index], 1}) do bits[#bits + 1] = word end
end
local new = 0
for _, before in ipairs(redis.call('BITFIELD', KEYS[2], unpack(bits))) do
  if before == 0 then new = 1 end
end
redis.call('PFADD', KEYS[1], ARGV[1])
return new
