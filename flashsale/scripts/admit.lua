-- Let a shopper in from the line, if there is room.
--
-- Guarantee: never more live admissions than the cap, nor than units free; one per shopper, and asking again
-- returns the one there is, as long as it was before a page was closed. Nobody whose claims have reached the limit is let
-- in. How long a shopper waited is counted with the admission, and not when they ask again; who left and comes in again is
-- one who came, or the controller would take them for many.
--
-- KEYS  1 active  2 entered  3 gate  4 waits  5 away  6 came  7 takers
-- ARGV  1 now (ms)  2 end of the admission (ms)  3 shopper  4 cap  5 how long they waited (ms)  6 the bucket of that
--       7.. the gate's fields that say how many units of an item are free
-- Returns {outcome, end of the admission (ms)}: outcome is admitted, again, full, all_held, not_open,
--         limit_reached or lost (no gate: Redis lost it).

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local existing = redis.call('ZSCORE', KEYS[1], ARGV[3])
local before = redis.call('HGET', KEYS[5], ARGV[3])
if before then redis.call('HDEL', KEYS[5], ARGV[3]) end
if existing then
  if before then redis.call('ZADD', KEYS[1], before, ARGV[3]) end
  return {'again', before or existing}
end
local gate = redis.call('HMGET', KEYS[3], 'state', 'limit', unpack(ARGV, 7))
if not gate[1] then return {'lost', '0'} end
if gate[1] ~= 'open' then return {'not_open', '0'} end
local record = redis.call('HGET', KEYS[7], ARGV[3])
if record and tonumber(string.match(record, '^%d+')) >= tonumber(gate[2]) then return {'limit_reached', '0'} end
local free = 0
for index = 3, #gate do free = free + tonumber(gate[index] or '0') end
if free == 0 then return {'all_held', '0'} end
local active = redis.call('ZCARD', KEYS[1])
if active >= tonumber(ARGV[4]) or active >= free then return {'full', '0'} end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
if redis.call('SADD', KEYS[6], ARGV[3]) == 1 then redis.call('INCR', KEYS[2]) end
redis.call('HINCRBY', KEYS[4], ARGV[6], 1)
redis.call('HINCRBY', KEYS[4], 'sum', ARGV[5])
return {'admitted', ARGV[2]}
