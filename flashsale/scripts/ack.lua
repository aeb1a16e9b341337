-- Acknowledge settled claims and take them out of the purchase queue.
--
-- Guarantee: a claim leaves the stream, its units leave the gate's count of what is queued, and the fence (gate's
-- `acks`) moves in one step, so sync.lua can tell that a batch was settled between its two reads. Repeating it
-- changes only the fence.
--
-- KEYS  1 claims  2 gate
-- ARGV  1 consumer group  2.. stream ids (at most some thousand: Lua's stack is the limit)
-- Returns how many claims left the stream.

local units = {}
for index = 2, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[index], ARGV[index])[1]
  local claim = {}
  for field = 1, entry and #entry[2] or 0, 2 do claim[entry[2][field]] = entry[2][field + 1] end
  local quantity = tonumber(claim.quantity)
  if claim.item and quantity then units[claim.item] = (units[claim.item] or 0) + quantity end
end
for item, gone in pairs(units) do redis.call('HINCRBY', KEYS[2], 'queued:' .. item, -gone) end
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
redis.call('HINCRBY', KEYS[2], 'acks', 1)
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
