-- Count fewer units for a shopper, if nothing was added since the record was read.
--
-- Guarantee: a claim that came in meanwhile stays counted, and no purchase is forgotten. PostgreSQL keeps the limit
-- in any case.
--
-- KEYS  1 takers
-- ARGV  1 shopper  2 the record as it was read  3 units
-- Returns 1 when it was counted.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], (string.gsub(ARGV[2], '^%d+', ARGV[3])))
return 1
