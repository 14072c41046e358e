-- SPDX-License-Identifier: Apache-2.0
-- Nereid: a vision model server.
-- EVAL … 3 STREAM BYTES_KEY PICTURE_KEY   ENTRY BYTES JOB ANSWER 120000 FAILED REPLY RECORD
-- STREAM and BYTES_KEY are nereid:jobs:MODEL and nereid:bytes:MODEL, or nereid:bulk:MODEL and nereid:bulk-bytes:MODEL.
-- PICTURE_KEY is nereid:picture:JOB where the job has none. FAILED is 1 if the answer is an error, else 0. REPLY and RECORD
-- are empty where the job has none.
local function store(reply, record, job, answer, kept, failed)
  if reply ~= '' then
    redis.call('XADD', reply, '*', 'job', job, 'answer', answer)
    redis.call('PEXPIRE', reply, kept)
  end
  if record == '' or redis.call('EXISTS', record) == 0 then return end
  local results = record .. ':results'
  local number = redis.call('HINCRBY', record, 'sequence', 1)
  redis.call('XADD', results, number .. '-0', 'job', job, 'answer', answer)
  if failed == '1' then redis.call('HINCRBY', record, 'failed', 1) end
  local done = redis.call('HINCRBY', record, 'done', 1)
  local known = redis.call('HMGET', record, 'prefix', 'pictures', 'life_ms', 'order', 'webhook')
  if done >= tonumber(known[2]) then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', record, 'finished', now)
    for _, key in ipairs({record, results, record .. ':names', known[4] or record}) do
      redis.call('PEXPIRE', key, known[3])
    end
    if known[5] then redis.call('ZADD', known[1] .. ':notices', now, record) end
  elseif number == 1 then
    redis.call('PEXPIRE', results, redis.call('PTTL', record))
  end
  redis.call('XADD', known[1] .. ':changes', 'MAXLEN', '~', '1000', '*', 'record', record)
end
local function release(stream, counter, bytes)
  if redis.call('XLEN', stream) == 0 then
    redis.call('DEL', counter)
  else
    redis.call('DECRBY', counter, bytes)
  end
end
redis.call('XACK', KEYS[1], 'workers', ARGV[1])
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
store(ARGV[7], ARGV[8], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
redis.call('UNLINK', KEYS[3])
release(KEYS[1], KEYS[2], ARGV[2])
return 1
