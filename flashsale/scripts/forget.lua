-- Forget what a shopper took, if nothing was added since it was read.
--
-- Guarantee: a claim that came in meanwhile is not forgotten. PostgreSQL keeps the limit in any case.
--
-- KEYS  1 takers
-- ARGV  1 shopper  2 the record as it was read
-- Returns 1 when it was forgotten.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
