-- Let a shopper in from the line, if there is room.
--
-- Guarantee: never more live admissions than the cap, nor than units free; one per shopper, and asking again
-- returns the one there is.
--
-- KEYS  1 active  2 entered  3 gate
-- ARGV  1 now (ms)  2 end of the admission (ms)  3 shopper  4 cap
-- Returns {outcome, end of the admission (ms)}: outcome is admitted, again, full, all_held or not_open.

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local existing = redis.call('ZSCORE', KEYS[1], ARGV[3])
if existing then return {'again', existing} end
local free, state = 0, nil
local gate = redis.call('HGETALL', KEYS[3])
for index = 1, #gate, 2 do
  if gate[index] == 'state' then state = gate[index + 1] end
  if string.sub(gate[index], 1, 5) == 'free:' then free = free + tonumber(gate[index + 1]) end
end
if state ~= 'open' then return {'not_open', '0'} end
if free == 0 then return {'all_held', '0'} end
local active = redis.call('ZCARD', KEYS[1])
if active >= tonumber(ARGV[4]) or active >= free then return {'full', '0'} end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('INCR', KEYS[2])
return {'admitted', ARGV[2]}
