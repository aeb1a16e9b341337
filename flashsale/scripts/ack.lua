-- Acknowledge settled claims and take them out of the purchase queue.
--
-- Guarantee: a claim leaves the stream and the fence (gate's `acks`) moves in one step, so sync.lua can tell
-- that a batch was settled between its two reads. Repeating it changes only the fence.
--
-- KEYS  1 claims  2 gate
-- ARGV  1 consumer group  2.. stream ids (at most some thousand: Lua's stack is the limit)
-- Returns how many claims left the stream.

redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
redis.call('HINCRBY', KEYS[2], 'acks', 1)
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
