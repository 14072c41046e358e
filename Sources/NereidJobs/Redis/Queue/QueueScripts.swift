// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// The steps that must not be torn apart, as Lua scripts that Redis runs as one.
///
/// They are sent whole each time: some hundred bytes beside a picture, and nothing to be lost when Redis starts anew.
enum QueueScripts {
    /// Takes the picture's bytes off the model's count. An empty stream sets a count right that went wrong.
    private static let release = """
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

    /// Stores the answer, and with it acknowledges and removes the job. 0 when another has answered before.
    ///
    /// Keys: the stream, the count of bytes, the picture's key, the stream of answers or nothing. Arguments: the entry, the
    /// picture's bytes, the job, the answer, how long answers are kept in milliseconds.
    private static let finish =
        release + """
            redis.call('XACK', KEYS[1], 'workers', ARGV[1])
            if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
            if KEYS[4] ~= '' then
              redis.call('XADD', KEYS[4], '*', 'job', ARGV[3], 'answer', ARGV[4])
              redis.call('PEXPIRE', KEYS[4], ARGV[5])
            end
            redis.call('UNLINK', KEYS[3])
            release(KEYS[1], KEYS[2], ARGV[2])
            return 1
            """

    /// Moves a job to the dead letters and answers it with an error.
    ///
    /// Keys and arguments as of `finish`; a fifth key, the stream of dead letters, and a sixth and a seventh argument, the
    /// reason and how long the picture is kept in milliseconds.
    private static let bury =
        release + """
            local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
            redis.call('XACK', KEYS[1], 'workers', ARGV[1])
            if not entry then return 0 end
            local fields = entry[2]
            fields[#fields + 1] = 'reason'
            fields[#fields + 1] = ARGV[6]
            redis.call('XADD', KEYS[5], 'MAXLEN', '~', '10000', '*', unpack(fields))
            redis.call('XDEL', KEYS[1], ARGV[1])
            redis.call('PEXPIRE', KEYS[3], ARGV[7])
            if KEYS[4] ~= '' then
              redis.call('XADD', KEYS[4], '*', 'job', ARGV[3], 'answer', ARGV[4])
              redis.call('PEXPIRE', KEYS[4], ARGV[5])
            end
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

    /// Forgets a consumer, unless it has jobs. Keys: the stream. Arguments: the consumer.
    private static let forget = """
        if #redis.call('XPENDING', KEYS[1], 'workers', '-', '+', 1, ARGV[1]) > 0 then return 0 end
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', ARGV[1])
        return 1
        """

    /// Puts a dead letter into the queue again, for nobody to wait for. 0 when there is no such letter.
    ///
    /// Keys: the stream, the count of bytes, the stream of dead letters. Arguments: the letter.
    private static let retry = """
        local entry = redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1])[1]
        if not entry then return 0 end
        local fields, bytes = {}, 0
        for i = 1, #entry[2], 2 do
          local name, value = entry[2][i], entry[2][i + 1]
          if name == 'bytes' then bytes = tonumber(value) or 0 end
          if name ~= 'reason' and name ~= 'reply' then
            fields[#fields + 1] = name
            fields[#fields + 1] = value
          end
        end
        redis.pcall('XGROUP', 'CREATE', KEYS[1], 'workers', '0', 'MKSTREAM')
        redis.call('INCRBY', KEYS[2], bytes)
        redis.call('XADD', KEYS[1], '*', unpack(fields))
        redis.call('XDEL', KEYS[3], ARGV[1])
        return 1
        """

    static func add(_ entry: JobEntry, model: String, limits: QueueLimits, keys: QueueKeys) -> RedisCommand {
        var command = command(
            add,
            keys: [keys.jobs(of: model), keys.bytes(of: model), entry.pictureKey ?? keys.picture(of: entry.job)],
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
        model: String,
        answer: ByteBuffer,
        keptFor time: Duration,
        keys: QueueKeys
    ) -> RedisCommand {
        command(
            finish,
            keys: [
                keys.jobs(of: model), keys.bytes(of: model), entry.pictureKey ?? keys.picture(of: entry.job),
                entry.reply ?? "",
            ],
            [.text(id), .integer(entry.bytes), .text(entry.job), .bytes(answer), .integer(time.milliseconds)]
        )
    }

    static func bury(
        _ entry: JobEntry,
        id: String,
        model: String,
        reason: String,
        answer: ByteBuffer,
        keptFor time: Duration,
        lettersKeptFor long: Duration,
        keys: QueueKeys
    ) -> RedisCommand {
        command(
            bury,
            keys: [
                keys.jobs(of: model), keys.bytes(of: model), entry.pictureKey ?? keys.picture(of: entry.job),
                entry.reply ?? "", keys.dead(of: model),
            ],
            [
                .text(id), .integer(entry.bytes), .text(entry.job), .bytes(answer), .integer(time.milliseconds),
                .text(reason), .integer(long.milliseconds),
            ]
        )
    }

    static func withdraw(_ entry: JobEntry, id: String, model: String, keys: QueueKeys) -> RedisCommand {
        command(
            withdraw,
            keys: [keys.jobs(of: model), keys.bytes(of: model), entry.pictureKey ?? keys.picture(of: entry.job)],
            [.text(id), .integer(entry.bytes)]
        )
    }

    static func load(of model: String, keys: QueueKeys) -> RedisCommand {
        command(load, keys: [keys.jobs(of: model), keys.bytes(of: model)], [])
    }

    static func forget(_ consumer: String, model: String, keys: QueueKeys) -> RedisCommand {
        command(forget, keys: [keys.jobs(of: model)], [.text(consumer)])
    }

    static func retry(_ letter: String, model: String, keys: QueueKeys) -> RedisCommand {
        command(
            retry,
            keys: [keys.jobs(of: model), keys.bytes(of: model), keys.dead(of: model)],
            [.text(letter)]
        )
    }

    private static func command(
        _ script: String,
        keys: [String],
        _ arguments: [RedisCommand.Argument]
    ) -> RedisCommand {
        RedisCommand(["EVAL", .text(script), .integer(keys.count)] + keys.map { .text($0) } + arguments)
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int { Int(self / .milliseconds(1)) }

    /// Milliseconds with their fractions.
    var inMilliseconds: Double { self / .milliseconds(1) }
}
