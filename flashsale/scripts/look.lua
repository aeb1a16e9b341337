-- Look at the gate and at what waits in the stream, at one moment.
--
-- Guarantee: nothing is changed, and no claim is missing from both counts: a claim lowers the gate and enters the
-- stream in one step.
--
-- KEYS  1 gate  2 claims
-- ARGV  1 claims of a stream that is short: a longer one is not summed, because nobody else is served meanwhile
-- Returns {acks, free, queued}: the fence, and twice a list of item, units, item, units, ...; nothing for a long stream.

if redis.call('XLEN', KEYS[2]) > tonumber(ARGV[1]) then return {} end

local free, queued, units_of = {}, {}, {}
local fields = redis.call('HGETALL', KEYS[1])
for index = 1, #fields, 2 do
  local item = string.match(fields[index], '^free:(.+)$')
  if item then
    free[#free + 1] = item
    free[#free + 1] = fields[index + 1]
  end
end

for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  local claim = {}
  for index = 1, #entry[2], 2 do claim[entry[2][index]] = entry[2][index + 1] end
  local units = tonumber(claim.quantity)
  if claim.item and units then units_of[claim.item] = (units_of[claim.item] or 0) + units end
end
for item, units in pairs(units_of) do
  queued[#queued + 1] = item
  queued[#queued + 1] = tostring(units)
end

return {redis.call('HGET', KEYS[1], 'acks') or '0', free, queued}
