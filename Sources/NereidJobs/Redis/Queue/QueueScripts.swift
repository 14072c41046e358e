// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// The steps that must not be torn apart, as Lua scripts that Redis runs as one.
///
/// They are sent whole each time: some hundred bytes beside a picture, and nothing to be lost when Redis starts anew.
enum QueueScripts {
    /// Takes the picture's bytes off the model's count. An empty stream sets a count right that went wrong.
    static let release = """
        local function release(stream, counter, bytes)
          if redis.call('XLEN', stream) == 0 then
            redis.call('DEL', counter)
          else
            redis.call('DECRBY', counter, bytes)
          end
        end

        """

    /// How many entries of a stream workers have; -1 when it has no group yet.
    private static let running = """
        local function running(stream)
          local pending = redis.pcall('XPENDING', stream, 'workers')
          if pending.err then return -1 end
          return pending[1]
        end

        """

    /// Adds a job unless too much waits already, and says which limit that is.
    ///
    /// Keys: the stream, the count of bytes, the picture's key. Arguments: the most jobs, the most bytes, the picture's bytes,
    /// then the entry's fields and values.
    private static let add =
        running + """
            local taken = running(KEYS[1])
            if taken < 0 then
              redis.call('XGROUP', 'CREATE', KEYS[1], 'workers', '0', 'MKSTREAM')
              taken = 0
            end
            local held = tonumber(redis.call('GET', KEYS[2]) or '0')
            local bytes = tonumber(ARGV[3])
            local refusal = nil
            if redis.call('XLEN', KEYS[1]) - taken >= tonumber(ARGV[1]) then
              refusal = 'jobs'
            elseif held > 0 and held + bytes > tonumber(ARGV[2]) then
              refusal = 'bytes'
            end
            if refusal then
              redis.call('UNLINK', KEYS[3])
              return redis.status_reply(refusal)
            end
            redis.call('INCRBY', KEYS[2], bytes)
            return redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
            """

    /// Puts an answer where the requester, or the results of a bulk job, wait for it. The results' ids are 1-0, 2-0, … in the
    /// order in which they come; with the last one the job is finished, and all that belongs to it goes after its life.
    private static let store = """
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

        """

    /// Stores the answer, and with it acknowledges and removes the job. 0 when another has answered before. docs/queue.md has
    /// it for workers in other languages, word for word.
    ///
    /// Keys: the stream, the count of bytes, the picture's key. Arguments: the entry, the picture's bytes, the job, the answer,
    /// how long answers are kept in milliseconds, 1 if the answer is an error, the stream of answers or nothing, the record of
    /// the bulk job or nothing.
    static let finish =
        store + release + """
            redis.call('XACK', KEYS[1], 'workers', ARGV[1])
            if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
            store(ARGV[7], ARGV[8], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
            redis.call('UNLINK', KEYS[3])
            release(KEYS[1], KEYS[2], ARGV[2])
            return 1
            """

    /// Moves a job to the dead letters and answers it with an error.
    ///
    /// Keys and arguments as of `finish`; a fourth key, the stream of dead letters, and a ninth and a tenth argument, the
    /// reason and how long the picture is kept in milliseconds.
    private static let bury =
        store + release + """
            local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
            redis.call('XACK', KEYS[1], 'workers', ARGV[1])
            if not entry then return 0 end
            local fields = entry[2]
            fields[#fields + 1] = 'reason'
            fields[#fields + 1] = ARGV[9]
            redis.call('XADD', KEYS[4], 'MAXLEN', '~', '10000', '*', unpack(fields))
            redis.call('XDEL', KEYS[1], ARGV[1])
            redis.call('PEXPIRE', KEYS[3], ARGV[10])
            store(ARGV[7], ARGV[8], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
            release(KEYS[1], KEYS[2], ARGV[2])
            return 1
            """

    /// Removes a job that no worker has taken. 0 when one has.
    ///
    /// Keys: the stream, the count of bytes, the picture's key. Arguments: the entry, the picture's bytes.
    private static let withdraw =
        release + """
            if #redis.call('XPENDING', KEYS[1], 'workers', ARGV[1], ARGV[1], 1) > 0 then return 0 end
            if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
            redis.call('UNLINK', KEYS[3])
            release(KEYS[1], KEYS[2], ARGV[2])
            return 1
            """

    /// How many jobs wait, how many bytes their pictures have, how many workers have taken.
    ///
    /// Keys: the stream, the count of bytes.
    private static let load =
        running + """
            local taken = math.max(0, running(KEYS[1]))
            return {redis.call('XLEN', KEYS[1]) - taken, tonumber(redis.call('GET', KEYS[2]) or '0'), taken}
            """

    /// Removes the entry that follows another, unread. Replies its id and its job, or nothing.
    ///
    /// Keys: the stream. Arguments: the other entry.
    private static let removeNext = """
        local entry = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 1)[1]
        if not entry then return nil end
        redis.call('XDEL', KEYS[1], entry[1])
        local job = ''
        for i = 1, #entry[2], 2 do
          if entry[2][i] == 'job' then job = string.sub(entry[2][i + 1], 1, 1000) end
        end
        return {entry[1], job}
        """

    static func removeNext(of stream: String, after entry: String) -> RedisCommand {
        RedisCommand(script: removeNext, keys: [stream], [.text(entry.contains("-") ? entry : "\(entry)-0")])
    }

    /// Makes the group of a stream, also in a Redis that is full. Keys: the stream.
    private static let makeGroup = """
        redis.call('XACK', KEYS[1], 'workers', '0-1')
        redis.pcall('XGROUP', 'CREATE', KEYS[1], 'workers', '0', 'MKSTREAM')
        return 1
        """

    static func makeGroup(of stream: String) -> RedisCommand { RedisCommand(script: makeGroup, keys: [stream]) }

    /// Says that a worker is there, also in a Redis that is full: it refuses a script only until its first write, and this one
    /// begins with one that takes no memory.
    ///
    /// Keys: the description, the names of workers, the announcement. Arguments: the description, its life in milliseconds,
    /// the worker, the announcement, its life.
    private static let announce = """
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        redis.call('SADD', KEYS[2], ARGV[3])
        redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
        return 1
        """

    static func announce(
        _ worker: String,
        _ announcement: ByteBuffer,
        _ description: WorkerDescription,
        settings: RedisQueueSettings
    ) -> RedisCommand {
        let keys = settings.keys
        return RedisCommand(
            script: announce,
            keys: [keys.description(description.digest), keys.workers, keys.worker(worker)],
            [
                .bytes(description.json), .integer(settings.descriptionLife.milliseconds), .text(worker),
                .bytes(announcement), .integer(settings.workerLife.milliseconds),
            ]
        )
    }

    /// Forgets a consumer, unless it has jobs. Keys: the stream. Arguments: the consumer.
    private static let forget = """
        if #redis.call('XPENDING', KEYS[1], 'workers', '-', '+', 1, ARGV[1]) > 0 then return 0 end
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', ARGV[1])
        return 1
        """

    /// Puts a dead letter into the queue again. 0 when there is no such letter.
    ///
    /// Nobody waits for it, unless it belongs to a bulk job that is still there: that takes back the error, is not finished until
    /// there is another answer, and is told of again.
    ///
    /// Keys: the interactive stream, its count of bytes, the bulk stream, its count of bytes, the stream of dead letters.
    /// Arguments: the letter, how long the picture is kept in milliseconds.
    private static let retry = """
        local entry = redis.call('XRANGE', KEYS[5], ARGV[1], ARGV[1])[1]
        if not entry then return 0 end
        redis.call('XDEL', KEYS[5], ARGV[1])
        local fields, bytes, record = {}, 0, nil
        for i = 1, #entry[2], 2 do
          local name, value = entry[2][i], entry[2][i + 1]
          if name == 'bytes' then bytes = tonumber(value) or 0 end
          if name == 'picture_key' then redis.call('PEXPIRE', value, ARGV[2]) end
          if name == 'record' then
            record = value
          elseif name ~= 'reason' and name ~= 'reply' then
            fields[#fields + 1] = name
            fields[#fields + 1] = value
          end
        end
        local stream, counter = KEYS[1], KEYS[2]
        if record then
          stream, counter = KEYS[3], KEYS[4]
          if redis.call('EXISTS', record) == 1 then
            fields[#fields + 1] = 'record'
            fields[#fields + 1] = record
            redis.call('HINCRBY', record, 'done', -1)
            redis.call('HINCRBY', record, 'failed', -1)
            redis.call('HDEL', record, 'finished')
            local known = redis.call('HMGET', record, 'prefix', 'waiting_ms', 'order', 'webhook')
            for _, key in ipairs({record, record .. ':results', record .. ':names', known[3] or record}) do
              redis.call('PEXPIRE', key, known[2])
            end
            if known[4] then
              redis.call('HSET', record, 'webhook_state', 'waiting', 'attempts', 0)
              redis.call('ZREM', known[1] .. ':notices', record)
            end
            redis.call('XADD', known[1] .. ':changes', 'MAXLEN', '~', '1000', '*', 'record', record)
          end
        end
        redis.pcall('XGROUP', 'CREATE', stream, 'workers', '0', 'MKSTREAM')
        redis.call('INCRBY', counter, bytes)
        redis.call('XADD', stream, '*', unpack(fields))
        return 1
        """

    static func add(_ entry: JobEntry, to stream: JobStream, limits: QueueLimits, keys: QueueKeys) -> RedisCommand {
        var command = RedisCommand(
            script: add,
            keys: [keys.jobs(stream), keys.bytes(stream), entry.pictureKey ?? keys.picture(of: entry.job)],
            [.integer(limits.jobs), .integer(limits.bytes), .integer(entry.bytes)]
        )
        for (name, value) in entry.fields {
            command.append(.text(name))
            command.append(value)
        }
        return command
    }

    static func finish(
        _ entry: JobEntry,
        id: String,
        in stream: JobStream,
        answer: StoredAnswer,
        keptFor time: Duration,
        keys: QueueKeys
    ) -> RedisCommand {
        RedisCommand(
            script: finish,
            keys: places(of: entry, in: stream, keys),
            arguments(entry, id: id, answer, keptFor: time)
        )
    }

    static func bury(
        _ entry: JobEntry,
        id: String,
        in stream: JobStream,
        reason: String,
        answer: StoredAnswer,
        keptFor time: Duration,
        lettersKeptFor long: Duration,
        keys: QueueKeys
    ) -> RedisCommand {
        RedisCommand(
            script: bury,
            keys: places(of: entry, in: stream, keys) + [keys.dead(of: stream.model)],
            arguments(entry, id: id, answer, keptFor: time)
                + [.text(reason), .integer(long.milliseconds)]
        )
    }

    private static func places(of entry: JobEntry, in stream: JobStream, _ keys: QueueKeys) -> [String] {
        [keys.jobs(stream), keys.bytes(stream), entry.pictureKey ?? keys.picture(of: entry.job)]
    }

    private static func arguments(
        _ entry: JobEntry,
        id: String,
        _ answer: StoredAnswer,
        keptFor time: Duration
    ) -> [RedisCommand.Argument] {
        [
            .text(id), .integer(entry.bytes), .text(entry.job), .bytes(answer.json), .integer(time.milliseconds),
            answer.isError ? 1 : 0, .text(entry.reply ?? ""), .text(entry.record ?? ""),
        ]
    }

    static func withdraw(_ entry: JobEntry, id: String, from stream: JobStream, keys: QueueKeys) -> RedisCommand {
        RedisCommand(
            script: withdraw,
            keys: [keys.jobs(stream), keys.bytes(stream), entry.pictureKey ?? keys.picture(of: entry.job)],
            [.text(id), .integer(entry.bytes)]
        )
    }

    static func load(of stream: JobStream, keys: QueueKeys) -> RedisCommand {
        RedisCommand(script: load, keys: [keys.jobs(stream), keys.bytes(stream)])
    }

    static func forget(_ consumer: String, in stream: JobStream, keys: QueueKeys) -> RedisCommand {
        RedisCommand(script: forget, keys: [keys.jobs(stream)], [.text(consumer)])
    }

    static func retry(_ letter: String, model: String, keptFor time: Duration, keys: QueueKeys) -> RedisCommand {
        let streams = [Lane.interactive, .bulk].map { JobStream(model: model, lane: $0) }
        return RedisCommand(
            script: retry,
            keys: streams.flatMap { [keys.jobs($0), keys.bytes($0)] } + [keys.dead(of: model)],
            [.text(letter), .integer(time.milliseconds)]
        )
    }
}

/// An answer on its way to who waits for it.
struct StoredAnswer: Sendable, Hashable {
    /// The JSON of docs/queue.md.
    var json: ByteBuffer
    var isError: Bool
}

extension RedisCommand {
    /// A script with its keys and arguments.
    init(script: String, keys: [String], _ arguments: [Argument] = []) {
        self.init(["EVAL", .text(script), .integer(keys.count)] + keys.map { .text($0) } + arguments)
    }
}

extension QueueLoad {
    /// What ``QueueScripts/load(of:keys:)`` replies.
    init?(_ reply: RedisReply) {
        guard let numbers = reply.elements?.compactMap(\.integer), numbers.count == 3 else { return nil }
        self.init(waiting: numbers[0], waitingBytes: numbers[1], running: numbers[2])
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int { Int(self / .milliseconds(1)) }

    /// Milliseconds with their fractions.
    var inMilliseconds: Double { self / .milliseconds(1) }
}
