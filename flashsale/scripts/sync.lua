-- Set the gate to what PostgreSQL has free minus the claims that still wait in the stream.
--
-- Guarantee: nothing is set when a batch was acknowledged since `acks` was read, because its units would be
-- missing from both counts; the caller reads again. A batch that committed and is not acknowledged yet is
-- counted twice, which only makes the gate lower until the next sync.
--
-- KEYS  1 gate  2 claims
-- ARGV  1 acks as read before PostgreSQL was  2 state (open or closed)  3 opens (ms)  4 closes (ms)  5 limit
--       6 seconds that the gate is kept, or 0 while the sale is current
--       7.. pairs of item and units free in PostgreSQL
-- Returns 1 when the gate was set, 0 when the caller has to read again.

if (redis.call('HGET', KEYS[1], 'acks') or '0') ~= ARGV[1] then return 0 end

local queued = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  local claim = {}
  for index = 1, #entry[2], 2 do claim[entry[2][index]] = entry[2][index + 1] end
  local units = tonumber(claim.quantity)
  -- What cannot be read is set aside by the next drain, and stands for no unit.
  if claim.item and units then queued[claim.item] = (queued[claim.item] or 0) + units end
end

redis.call('HSET', KEYS[1], 'state', ARGV[2], 'opens', ARGV[3], 'closes', ARGV[4], 'limit', ARGV[5],
  'synced', redis.call('TIME')[1])
for index = 7, #ARGV, 2 do
  local free = tonumber(ARGV[index + 1]) - (queued[ARGV[index]] or 0)
  redis.call('HSET', KEYS[1], 'free:' .. ARGV[index], math.max(0, free))
end
if ARGV[6] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[6]) end
return 1
