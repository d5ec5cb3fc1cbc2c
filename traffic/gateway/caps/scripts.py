"""What Valkey does in one step. A counter is a hash: `used` and `late` are settled, `reserved` is of calls under way,
whose reservations stand in a sorted set beside it by the moment at which they end.

`{caps}:born` is when this Valkey first counted. A window that is not there and began later is empty; else it may have
been lost, and is read from Postgres. Numbers stay below 2^53, so that doubles hold them. Each answers with one line.
"""

from __future__ import annotations

BORN = "{caps}:born"
MARGIN_MS = 5_000  # by which clocks may differ

# Since when it counts; nothing where it is empty.
SINCE = "return redis.status_reply(redis.call('GET', KEYS[1]) or '')"

RESERVE = f"""
local function whole(number) return string.format('%.0f', number) end
local function say(...) return redis.status_reply(table.concat({{...}}, ' ')) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local born = redis.call('GET', KEYS[1])
if not born then
  born = whole(now)
  redis.call('SET', KEYS[1], born)
end
local call, lease, most_users, caps = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), (#KEYS - 1) / 3
for i = 1, caps do
  local counter, calls, users, a = KEYS[3 * i - 1], KEYS[3 * i], KEYS[3 * i + 1], 6 * i - 3
  local limit, amount, begun, ends, of_user = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 4]),
    ARGV[a + 5], ARGV[a + 6] == '1'
  if redis.call('HEXISTS', counter, 'used') == 0 then
    if of_user and tonumber(redis.call('GET', users) or '0') >= most_users then return say('many', born, i) end
    if tonumber(born) + {MARGIN_MS} >= begun then return say('unknown', born, i) end
    redis.call('HSET', counter, 'used', '0')
    redis.call('PEXPIREAT', counter, ends)
    if of_user then
      redis.call('INCR', users)
      redis.call('PEXPIREAT', users, ends)
    end
  end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', calls, '-inf', whole(now), 'LIMIT', 0, 500)) do
    redis.call('ZREM', calls, member)
    redis.call('HINCRBY', counter, 'reserved', '-' .. string.match(member, '%d+$'))
  end
  local is = redis.call('HMGET', counter, 'used', 'late', 'reserved')
  local used, waiting = tonumber(is[1]) + tonumber(is[2] or '0'), tonumber(is[3] or '0')
  if used + waiting + amount > limit then return say('full', born, i, whole(used), whole(waiting)) end
end
for i = 1, caps do
  local counter, calls, a = KEYS[3 * i - 1], KEYS[3 * i], 6 * i - 3
  local amount, at_once, ends = ARGV[a + 2], ARGV[a + 3] == '1', ARGV[a + 5]
  if at_once then
    redis.call('HINCRBY', counter, 'used', amount)
  elseif redis.call('ZADD', calls, whole(now + lease), call .. ':' .. amount) == 1 then
    redis.call('HINCRBY', counter, 'reserved', amount)
    redis.call('PEXPIREAT', calls, ends)
  end
end
return say('ok', born)
"""

# For each counter what is given back of `used`, or the reservation and what was used instead.
SETTLE = """
for i = 1, #KEYS / 2 do
  local counter, calls, a = KEYS[2 * i - 1], KEYS[2 * i], 3 * i - 1
  local amount, used, at_once = ARGV[a], ARGV[a + 1], ARGV[a + 2] == '1'
  if not at_once and redis.call('ZREM', calls, ARGV[1] .. ':' .. amount) == 1 then
    redis.call('HINCRBY', counter, 'reserved', '-' .. amount)
  end
  if redis.call('HEXISTS', counter, 'used') == 1 then
    if not at_once then
      redis.call('HINCRBY', counter, 'used', used)
    elseif used == '0' then
      redis.call('HINCRBY', counter, 'used', '-' .. amount)
    end
  end
end
return 1
"""

# What Postgres knows of a window; not where so many users have one of their own already.
SEED = """
local of_user = ARGV[3] == '1'
if redis.call('HEXISTS', KEYS[1], 'used') == 1 then return 1 end
if of_user and tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], 'used', ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
if of_user then
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIREAT', KEYS[2], ARGV[2])
end
return 1
"""

# What was used while Valkey was away; not where it was lost meanwhile, for then Postgres knows it.
ADD = f"""
local born = redis.call('GET', KEYS[2])
local counted = redis.call('HEXISTS', KEYS[1], 'used') == 1
if ARGV[4] == '1' or counted or (born and tonumber(born) + {MARGIN_MS} < tonumber(ARGV[2])) then
  redis.call('HINCRBY', KEYS[1], 'late', ARGV[1])
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return 1
"""

# A reservation of a call under way, prolonged; or made again after Valkey lost it. What is gone otherwise was settled
# meanwhile, or its lease is over, and does not come back.
HOLD = """
local time = redis.call('TIME')
local until_ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]))
local member = ARGV[1] .. ':' .. ARGV[3]
if ARGV[5] ~= '1' then
  redis.call('ZADD', KEYS[2], 'XX', until_ms, member)
elseif redis.call('ZADD', KEYS[2], until_ms, member) == 1 then
  redis.call('HINCRBY', KEYS[1], 'reserved', ARGV[3])
end
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
redis.call('PEXPIREAT', KEYS[2], ARGV[4])
return 1
"""
