-- Somebody inside was seen: what a closed page took from their admission is given back.
--
-- Guarantee: nobody comes in by it: whoever is not in the set any more, because their time was over and the place was
-- counted free, or because they left, bought or were let out, stays out.
--
-- KEYS  1 active  2 away
-- ARGV  1 shopper  2 now (ms)  3 the least that the end shall be (ms), or 0
-- Returns the end of the admission (ms), or '0' when they are not inside.

local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends then return '0' end
local before = redis.call('HGET', KEYS[2], ARGV[1])
local last = before or ends
if tonumber(last) <= tonumber(ARGV[2]) then return '0' end
if tonumber(last) < tonumber(ARGV[3]) then last = ARGV[3] end
if last ~= ends then redis.call('ZADD', KEYS[1], last, ARGV[1]) end
if before then redis.call('HDEL', KEYS[2], ARGV[1]) end
return last
