// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The steps in the life of a bulk job that must not be torn apart, as Lua scripts that Redis runs as one. Its answers are
/// counted by ``QueueScripts``.
///
/// A full Redis refuses a script only until its first write: those that have to go through begin with one that takes no memory.
enum BulkScripts {
    /// Redis' clock, in milliseconds since 1970.
    private static let clock = """
        local function clock()
          local time = redis.call('TIME')
          return time[1] * 1000 + math.floor(time[2] / 1000)
        end

        """

    /// How many bytes of pictures all bulk jobs have.
    private static let held = """
        local function held(models, prefix)
          local sum = 0
          for _, model in ipairs(redis.call('SMEMBERS', models)) do
            sum = sum + tonumber(redis.call('GET', prefix .. ':bulk-bytes:' .. model) or '0')
          end
          return sum
        end

        """

    /// The order that a key has made a job of, and how many bytes of pictures all jobs have: what is to be known before
    /// pictures are sent. Entries that have waited for longer than any job is kept are thrown away on the way, some at a time,
    /// or those of a model that has no workers any more would count for ever.
    ///
    /// Keys: the models, the order. Arguments: the prefix, how long an unfinished job is kept in milliseconds.
    private static let look =
        clock + held + QueueScripts.release + """
            local now = clock()
            for _, model in ipairs(redis.call('SMEMBERS', KEYS[1])) do
              local stream, bytes = ARGV[1] .. ':bulk:' .. model, 0
              for _, entry in ipairs(redis.call('XRANGE', stream, '-', now - ARGV[2], 'COUNT', 200)) do
                for i = 1, #entry[2], 2 do
                  if entry[2][i] == 'bytes' then bytes = bytes + entry[2][i + 1] end
                end
                redis.pcall('XACK', stream, 'workers', entry[1])
                redis.call('XDEL', stream, entry[1])
              end
              if bytes > 0 then release(stream, ARGV[1] .. ':bulk-bytes:' .. model, bytes) end
            end
            return {now, held(KEYS[1], ARGV[1]), redis.call('GET', KEYS[2]) or ''}
            """

    /// Makes a job of pictures that are there. Replies `accepted`, also when that was so before; or `full`; `gone`, when a picture is not there any more; or
    /// what the key has made a job of meanwhile. Then nothing is changed, but the pictures may be gone.
    ///
    /// Some that are chosen by chance of all jobs that ever were are forgotten on the way, if they are no more.
    ///
    /// Keys: the stream, its count of bytes, the record, all jobs, the models, the order. Arguments: the most bytes
    /// of all jobs, the bytes of this one, its id, the model, the prefix, when, how long it is kept when it is finished and
    /// until then in milliseconds, the options, the order's fingerprint or nothing when it has no key, the webhook or nothing, the
    /// trace or nothing, then the bytes of each picture.
    private static let accept =
        held + """
            local id, model, prefix, life, patience = ARGV[3], ARGV[4], ARGV[5], ARGV[7], ARGV[8]
            local first = 13
            local trace = ARGV[12] ~= '' and {'traceparent', ARGV[12]} or {}
            if redis.call('EXISTS', KEYS[3]) == 1 then return {'accepted', ''} end
            if ARGV[10] ~= '' then
              local known = redis.call('GET', KEYS[6])
              if known and redis.call('EXISTS', prefix .. ':job:' .. string.match(known, '^%S+')) == 1 then
                return {'known', known}
              end
            end
            if held(KEYS[5], prefix) + tonumber(ARGV[2]) > tonumber(ARGV[1]) then return {'full', ''} end
            local function picture(index) return prefix .. ':picture:' .. id .. ':' .. index end
            for i = first, #ARGV do
              if redis.call('PEXPIRE', picture(i - first), patience) == 0 then
                for j = first, #ARGV do redis.call('UNLINK', picture(j - first)) end
                return {'gone', ''}
              end
            end
            redis.pcall('XGROUP', 'CREATE', KEYS[1], 'workers', '0', 'MKSTREAM')
            local from, to
            for i = first, #ARGV do
              local index = i - first
              to = redis.call('XADD', KEYS[1], '*', 'job', id .. ':' .. index, 'options', ARGV[9], 'bytes', ARGV[i],
                'record', KEYS[3], 'picture_key', picture(index), unpack(trace))
              from = from or to
            end
            redis.call('INCRBY', KEYS[2], ARGV[2])
            redis.call('HSET', KEYS[3], 'model', model, 'prefix', prefix, 'created', ARGV[6], 'pictures', #ARGV - first + 1,
              'done', 0, 'failed', 0, 'sequence', 0, 'life_ms', life, 'waiting_ms', patience, 'from', from, 'to', to)
            if trace[1] then redis.call('HSET', KEYS[3], unpack(trace)) end
            if ARGV[11] ~= '' then
              redis.call('HSET', KEYS[3], 'webhook', ARGV[11], 'webhook_state', 'waiting', 'attempts', 0)
            end
            if ARGV[10] ~= '' then
              redis.call('HSET', KEYS[3], 'order', KEYS[6])
              redis.call('SET', KEYS[6], id .. ' ' .. ARGV[10], 'PX', patience)
            end
            redis.call('PEXPIRE', KEYS[3], patience)
            redis.call('PEXPIRE', KEYS[3] .. ':names', patience)
            redis.call('ZADD', KEYS[4], 0, id)
            redis.call('SADD', KEYS[5], model)
            for _, other in ipairs(redis.call('ZRANDMEMBER', KEYS[4], 4)) do
              if redis.call('EXISTS', prefix .. ':job:' .. other) == 0 then redis.call('ZREM', KEYS[4], other) end
            end
            return {'accepted', ''}
            """

    /// Removes a job's record and results; from then on workers leave its pictures aside. Replies the model and the ids of its
    /// first and its last entry, or nothing when there is no such job.
    ///
    /// Keys: the record, all jobs. Arguments: the id.
    private static let remove = """
        local known = redis.call('HMGET', KEYS[1], 'prefix', 'model', 'from', 'to', 'order')
        redis.call('ZREM', KEYS[2], ARGV[1])
        if not known[1] then return nil end
        redis.call('UNLINK', KEYS[1], KEYS[1] .. ':results', KEYS[1] .. ':names')
        if known[5] then redis.call('UNLINK', known[5]) end
        redis.call('ZREM', known[1] .. ':notices', KEYS[1])
        redis.call('XADD', known[1] .. ':changes', 'MAXLEN', '~', '1000', '*', 'record', KEYS[1])
        return {known[2], known[3], known[4]}
        """

    /// Takes entries of a job that no worker has out of its stream, with their pictures. Replies the last entry that was looked
    /// at, or nothing when all have been.
    ///
    /// Keys: the stream, its count of bytes. Arguments: the record, the first and the last entry, how many to look at.
    private static let withdraw =
        QueueScripts.release + """
            local entries = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[3], 'COUNT', ARGV[4])
            local bytes = 0
            for _, entry in ipairs(entries) do
              local fields = {}
              for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
              if fields.record == ARGV[1] and #redis.call('XPENDING', KEYS[1], 'workers', entry[1], entry[1], 1) == 0 then
                redis.call('XDEL', KEYS[1], entry[1])
                redis.call('UNLINK', fields.picture_key)
                bytes = bytes + tonumber(fields.bytes)
              end
            end
            if bytes > 0 then release(KEYS[1], KEYS[2], bytes) end
            if #entries < tonumber(ARGV[4]) then return nil end
            return entries[#entries][1]
            """

    /// Results that follow one, until there are so many or they have so many bytes. Each is its id, its job, its answer, and the
    /// name of its picture. An answer that is larger than any is left out, and empty.
    ///
    /// Keys: the results, the names. Arguments: the result that they follow, how many, how many bytes, the bytes of the largest
    /// answer.
    private static let results = """
        local first, size, found = '(' .. ARGV[1], 0, {}
        local most, bytes, largest = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
        while #found < most and size < bytes do
          local some = redis.call('XRANGE', KEYS[1], first, '+', 'COUNT', math.min(4, most - #found))
          if #some == 0 then break end
          for _, entry in ipairs(some) do
            local job, answer = '', ''
            for i = 1, #entry[2], 2 do
              if entry[2][i] == 'job' then job = entry[2][i + 1] end
              if entry[2][i] == 'answer' then answer = entry[2][i + 1] end
            end
            size = size + #answer
            if #answer > largest then answer = '' end
            local name = redis.call('HGET', KEYS[2], string.match(job, '[^:]*$'))
            found[#found + 1] = {entry[1], string.sub(job, 1, 200), answer, name and string.sub(name, 1, 4096)}
            first = '(' .. entry[1]
            if size >= bytes then break end
          end
        end
        return found
        """

    static func results(of id: String, after entry: String, limit: Int, bytes: Int, keys: QueueKeys) -> RedisCommand {
        RedisCommand(
            script: results,
            keys: [keys.results(id), keys.names(id)],
            [.text(entry), .integer(limit), .integer(bytes), .integer(AnswerBounds.bytes)]
        )
    }

    /// The finished job whose webhook is due, which is then due again only after a while; nothing when none is.
    ///
    /// Keys: the notices. Arguments: that while in milliseconds.
    private static let takeNotice =
        clock + """
            local now = clock()
            while true do
              local record = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
              if not record then return nil end
              redis.call('ZREM', KEYS[1], record)
              if redis.call('EXISTS', record) == 1 then
                redis.call('ZADD', KEYS[1], now + ARGV[1], record)
                local fields = redis.call('HGETALL', record)
                redis.call('HINCRBY', record, 'attempts', 1)
                return {record, fields}
              end
            end
            """

    /// Says what became of telling a webhook.
    ///
    /// Keys: the record, the notices. Arguments: the state, the reason, in how many milliseconds to try again or nothing.
    private static let settleNotice =
        clock + """
            redis.call('ZREM', KEYS[2], KEYS[1])
            if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
            if ARGV[3] ~= '' then redis.call('ZADD', KEYS[2], clock() + ARGV[3], KEYS[1]) end
            redis.call('HSET', KEYS[1], 'webhook_state', ARGV[1], 'webhook_reason', ARGV[2])
            return 1
            """

    static func look(at order: String?, patience: Duration, keys: QueueKeys) -> RedisCommand {
        RedisCommand(
            script: look,
            keys: [keys.bulkModels, keys.order(order ?? "")],
            [.text(keys.prefix), .integer(patience.milliseconds)]
        )
    }

    /// An order whose pictures are in Redis.
    struct Acceptance: Sendable {
        var id: String
        var created: Int
        var order: BulkOrder
        var fingerprint: String
        var limits: BulkLimits
        /// How long it waits for its last picture.
        var patience: Duration
    }

    static func accept(_ acceptance: Acceptance, keys: QueueKeys) -> RedisCommand {
        let order = acceptance.order
        let stream = JobStream(model: order.model, lane: .bulk)
        return RedisCommand(
            script: accept,
            keys: [
                keys.jobs(stream), keys.bytes(stream), keys.record(acceptance.id), keys.bulkJobs, keys.bulkModels,
                keys.order(order.idempotencyKey ?? ""),
            ],
            [
                .integer(acceptance.limits.bytes), .integer(order.byteCount), .text(acceptance.id), .text(order.model),
                .text(keys.prefix), .integer(acceptance.created), .integer(acceptance.limits.life.milliseconds),
                .integer(acceptance.patience.milliseconds), .text(OptionsMessage(order.options).json),
                .text(acceptance.fingerprint), .text(order.webhook ?? ""),
                .text(order.trace?.description ?? ""),
            ] + order.pictures.map { .integer($0.bytes.readableBytes) }
        )
    }

    static func remove(_ id: String, keys: QueueKeys) -> RedisCommand {
        RedisCommand(script: remove, keys: [keys.record(id), keys.bulkJobs], [.text(id)])
    }

    static func withdraw(
        _ id: String,
        from stream: JobStream,
        entries: (first: String, last: String),
        atMost most: Int,
        keys: QueueKeys
    ) -> RedisCommand {
        RedisCommand(
            script: withdraw,
            keys: [keys.jobs(stream), keys.bytes(stream)],
            [.text(keys.record(id)), .text(entries.first), .text(entries.last), .integer(most)]
        )
    }

    static func takeNotice(lease: Duration, keys: QueueKeys) -> RedisCommand {
        RedisCommand(script: takeNotice, keys: [keys.notices], [.integer(lease.milliseconds)])
    }

    static func settleNotice(
        of id: String,
        state: String,
        reason: String,
        retryIn wait: Duration?,
        keys: QueueKeys
    ) -> RedisCommand {
        RedisCommand(
            script: settleNotice,
            keys: [keys.record(id), keys.notices],
            [.text(state), .text(reason), wait.map { .integer(max(0, $0.milliseconds)) } ?? ""]
        )
    }
}
