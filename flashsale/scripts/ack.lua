-- Acknowledge settled claims and take them out of the purchase queue.
--
-- Guarantee: a claim leaves the stream and the fence (gate's `acks`) moves in one step, so sync.lua can tell
-- that a batch was settled between its two reads. Repeating it changes only the fence.
--
-- KEYS  1 claims  2 gate
-- ARGV  1 consumer group  2.. stream ids
-- Returns how many claims left the stream.

local gone = 0
for index = 2, #ARGV do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[index])
  gone = gone + redis.call('XDEL', KEYS[1], ARGV[index])
end
redis.call('HINCRBY', KEYS[2], 'acks', 1)
return gone
