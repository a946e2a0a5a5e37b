-- One window that instances share: a sliding window of places, and HighLevel's own word of it. KEYS: the places, by the time
-- at which each is free; what else is known. ARGV: what to do, the interval, and what that needs. Times are this server's,
-- in milliseconds, so that the clocks of instances do not matter.
local places, state = KEYS[1], KEYS[2]
local interval = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(now / 86400000)
local to_midnight = (day + 1) * 86400000 - now

local function known(name)
  return tonumber(redis.call('HGET', state, name)) or 0
end
-- Calls of this day.
local function used()
  return known('day') == day and known('used') or 0
end
local function hold(place, until_free)
  redis.call('ZADD', places, now + until_free, place)
  redis.call('PEXPIRE', places, interval * 3)
end
local function keep(...)
  redis.call('HSET', state, ...)
  redis.call('PEXPIRE', state, to_midnight + interval)
end

if ARGV[1] == 'take' then
  -- place, for how long at most, calls of an interval, calls of a day: 0 with what is left, what is taken, which call of the
  -- window and of which day it is, and which of that; or 1 (full), 2 (paused) or 3 (the day) with the time to wait and the day's calls.
  local place, longest = ARGV[3], tonumber(ARGV[4])
  local most, most_of_day = tonumber(ARGV[5]), tonumber(ARGV[6])
  local pause, today = known('pause'), used()
  if pause > now then return {2, pause - now, today} end
  if today >= most_of_day then return {3, to_midnight, today} end
  if known('calls') > 0 then most = math.min(most, known('calls')) end
  local word_until = known('word_until')
  if word_until > now then most = math.min(most, known('word')) end
  redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
  local taken = redis.call('ZCARD', places)
  if taken >= most then
    local next = taken - most
    local free = redis.call('ZRANGE', places, next, next, 'WITHSCORES')
    local wait = free[2] and tonumber(free[2]) - now or interval
    if word_until > now then wait = math.min(wait, word_until - now) end
    return {1, math.min(wait, interval), today}
  end
  local turn = known('turn') + 1
  hold(place, longest)
  keep('turn', turn, 'day', day, 'used', today + 1)
  return {0, most - taken - 1, taken + 1, turn, day, today + 1}
elseif ARGV[1] == 'end' then
  -- place, until it is free, what its taking answered (what was taken, turn, day, number), calls of an interval, calls left
  -- and calls of the day (-1: not told), a pause: what an answer tells of all that call, whoever they are.
  local taken, turn, number = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
  local left, of_day, pause = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
  hold(ARGV[3], tonumber(ARGV[4]))
  if turn > known('calls_turn') then keep('calls', ARGV[9], 'calls_turn', turn) end
  if left >= 0 then
    -- Of the places at that call and those that were left not one more may be taken. None left: none.
    local word = left > 0 and taken + left or 0
    if turn > known('word_turn') or word < known('word') or known('word_until') <= now then
      keep('word', word, 'word_turn', turn, 'word_until', now + interval)
    end
  end
  -- One of yesterday says nothing of today.
  if of_day >= 0 and tonumber(ARGV[7]) == day then
    local today = used()
    keep('day', day, 'used', math.max(today, of_day + math.max(today - number, 0)))
  end
  if pause > 0 then keep('pause', math.max(known('pause'), now + pause)) end
  return {0}
elseif ARGV[1] == 'unsent' then
  -- place: its call did not leave.
  if redis.call('ZREM', places, ARGV[3]) == 1 and used() > 0 then keep('used', used() - 1) end
  return {0}
else
  -- place, how many: calls that were counted elsewhere.
  for number = 1, tonumber(ARGV[4]) do hold(ARGV[3] .. '.' .. number, interval) end
  return {0}
end
