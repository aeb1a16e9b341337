-- Claim units for a shopper and queue the claim, in one step.
--
-- Guarantee: the gate is lowered if and only if the claim is in the stream, at most once per purchase, and
-- never below zero or past the shopper's limit. Only this script lowers the gate; only sync.lua sets it.
--
-- KEYS  1 gate  2 takers  3 claims  4 active
-- ARGV  1 now (ms)  2 shopper  3 item  4 quantity  5 purchase  6 bell's life (ms)
--       7 seconds after which a gate that was not set is stale  8 1 when an admission is needed
-- Returns {outcome, purchase, ring}: outcome is queued, again, idempotency_key_reused (the attempt has made the purchase of
-- something else: all but the last four signs of its name are the same), limit_reached, sold_out, not_open, unknown_item,
-- no_admission (nobody let this shopper in, or they left, bought or ran out of time), lost (no gate: Redis lost it) or stale (sold out, but units may have come free unseen: sync, then claim again;
-- said to one caller in that many seconds); purchase is the one that the answer is about, or ''; ring is 1 when a drain has to be asked for.

local now, shopper, item = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local quantity, purchase = tonumber(ARGV[4]), ARGV[5]

local taken, purchases, latest = 0, '', ''
local record = redis.call('HGET', KEYS[2], shopper)
if record then
  taken, purchases = string.match(record, '^(%d+)(.*)$')
  taken = tonumber(taken)
  for known in string.gmatch(purchases, '%S+') do
    if known == purchase then return {'again', purchase, 0} end
    if string.sub(known, 1, 32) == string.sub(purchase, 1, 32) then return {'idempotency_key_reused', known, 0} end
    latest = known
  end
end

local free = 'free:' .. item
local gate = redis.call('HMGET', KEYS[1], 'state', 'opens', 'closes', 'limit', free, 'synced', 'rung')
if not gate[1] then return {'lost', '', 0} end
if gate[1] ~= 'open' or now < tonumber(gate[2]) or now >= tonumber(gate[3]) then
  return {'not_open', '', 0}
end
if not gate[5] then return {'unknown_item', '', 0} end
taken = taken + quantity
local limit = tonumber(gate[4])
if taken > limit then return {'limit_reached', latest, 0} end
local admitted = ARGV[8] == '1'
if admitted then
  local ends = redis.call('ZSCORE', KEYS[4], shopper)
  if not ends or tonumber(ends) <= now then return {'no_admission', '', 0} end
end
if tonumber(gate[5]) < quantity then
  local second = tonumber(redis.call('TIME')[1])
  if second - tonumber(gate[6] or 0) <= tonumber(ARGV[7]) then return {'sold_out', '', 0} end
  redis.call('HSET', KEYS[1], 'synced', second)
  return {'stale', '', 0}
end

redis.call('HINCRBY', KEYS[1], free, -quantity)
redis.call('HSET', KEYS[2], shopper, taken .. purchases .. ' ' .. purchase)
redis.call('XADD', KEYS[3], '*', 'purchase', purchase, 'shopper', shopper, 'item', item,
  'quantity', quantity, 'at', ARGV[1])
if admitted and taken >= limit then redis.call('ZREM', KEYS[4], shopper) end
-- The bell is a field of the gate, read with the others: a key of its own would cost every claim a command.
if now < tonumber(gate[7] or 0) then return {'queued', purchase, 0} end
redis.call('HSET', KEYS[1], 'rung', now + tonumber(ARGV[6]))
return {'queued', purchase, 1}
