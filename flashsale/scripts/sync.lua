-- Set the gate to what PostgreSQL has free minus the claims that still wait in the stream.
--
-- Guarantee: nothing is set when a batch was acknowledged since `acks` was read, because its units would be
-- missing from both counts; the caller reads again. A batch that committed and is not acknowledged yet is
-- counted twice, which only makes the gate lower until the next sync.
--
-- What is queued is summed from a short stream. Summing a long one would keep everybody waiting, so its sum is
-- worked out: what was queued at the last sync, less what was acknowledged since (ack.lua), plus what the gate
-- was lowered by since (claim.lua).
--
-- KEYS  1 gate  2 claims
-- ARGV  1 acks as read before PostgreSQL was  2 state (open or closed)  3 opens (ms)  4 closes (ms)  5 limit
--       6 seconds that the gate is kept, or 0 while the sale is current  7 claims of a stream that is short
--       8.. pairs of item and units free in PostgreSQL
-- Returns 1 when the gate was set, 0 when the caller has to read again.

local known = {}
local fields = redis.call('HGETALL', KEYS[1])
for index = 1, #fields, 2 do known[fields[index]] = fields[index + 1] end
if (known.acks or '0') ~= ARGV[1] then return 0 end

local queued = {}
if not known.state or redis.call('XLEN', KEYS[2]) <= tonumber(ARGV[7]) then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
    local claim = {}
    for index = 1, #entry[2], 2 do claim[entry[2][index]] = entry[2][index + 1] end
    local units = tonumber(claim.quantity)
    -- What cannot be read is set aside by the next drain, and stands for no unit.
    if claim.item and units then queued[claim.item] = (queued[claim.item] or 0) + units end
  end
else
  for index = 8, #ARGV, 2 do
    local item = ARGV[index]
    queued[item] = (known['queued:' .. item] or 0)
      + (known['set:' .. item] or 0) - (known['free:' .. item] or 0)
  end
end

redis.call('HSET', KEYS[1], 'state', ARGV[2], 'opens', ARGV[3], 'closes', ARGV[4], 'limit', ARGV[5],
  'synced', redis.call('TIME')[1])
for index = 8, #ARGV, 2 do
  local item = ARGV[index]
  local waiting = queued[item] or 0
  local free = math.max(0, tonumber(ARGV[index + 1]) - waiting)
  redis.call('HSET', KEYS[1], 'free:' .. item, free, 'set:' .. item, free, 'queued:' .. item, waiting)
end
if ARGV[6] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[6]) end
return 1
