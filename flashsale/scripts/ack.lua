-- Acknowledge settled claims and take them out of the purchase queue.
--
-- Guarantee: a claim leaves the stream, its units leave the gate's count of what is queued, and the fence (gate's
-- `acks`) moves in one step, so sync.lua can tell that a batch was settled between its two reads. Repeating it
-- changes only the fence.
--
-- KEYS  1 claims  2 gate
-- ARGV  1 consumer group  2 number of pairs that follow, 0 when the caller does not know them  3.. pairs of item and
--       the units of all these claims  then stream ids (at most some thousand: Lua's stack is the limit)
-- Returns how many claims left the stream.

local first = 3 + 2 * tonumber(ARGV[2])
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, first))

local units = {}
if first > 3 and acknowledged == #ARGV - first + 1 then
  for index = 3, first - 1, 2 do units[ARGV[index]] = tonumber(ARGV[index + 1]) end
else
  -- Some were acknowledged before, or could not be read: only the stream says whose units leave with it. Asking for
  -- each takes ten times as long as the rest.
  for index = first, #ARGV do
    local entry = redis.call('XRANGE', KEYS[1], ARGV[index], ARGV[index])[1]
    local claim = {}
    for field = 1, entry and #entry[2] or 0, 2 do claim[entry[2][field]] = entry[2][field + 1] end
    local quantity = tonumber(claim.quantity)
    if claim.item and quantity then units[claim.item] = (units[claim.item] or 0) + quantity end
  end
end
for item, gone in pairs(units) do redis.call('HINCRBY', KEYS[2], 'queued:' .. item, -gone) end
redis.call('HINCRBY', KEYS[2], 'acks', 1)
return redis.call('XDEL', KEYS[1], unpack(ARGV, first))
