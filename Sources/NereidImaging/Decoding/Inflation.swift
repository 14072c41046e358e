// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Unpacks small pieces of compressed metadata, never more than a limit.
///
/// Format: RFC 1950 (zlib) around RFC 1951 (DEFLATE). Canonical codes are decoded bit by bit, which suffices for a few
/// kilobytes; pictures are unpacked by the libraries that decode them. The checksum is not compared.
struct Inflation {
    private let bytes: UnsafeRawBufferPointer
    private let limit: Int
    private var position: Int
    private var bits: UInt32 = 0
    private var bitCount = 0
    private var output: [UInt8] = []

    /// The bytes that a zlib stream holds, at most `limit` of them; `nil` when the stream is damaged or ends too soon.
    static func inflate(zlib bytes: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        guard bytes.count > 2, bytes[0] & 0x0F == 8, (Int(bytes[0]) << 8 | Int(bytes[1])) % 31 == 0,
            bytes[1] & 0x20 == 0
        else { return nil }
        var inflation = Inflation(bytes: bytes, limit: limit, position: 2)
        return inflation.run() ? inflation.output : nil
    }

    private init(bytes: UnsafeRawBufferPointer, limit: Int, position: Int) {
        (self.bytes, self.limit, self.position) = (bytes, limit, position)
    }

    private var isFull: Bool { output.count >= limit }

    /// Reads blocks up to the last one or the limit.
    private mutating func run() -> Bool {
        while !isFull {
            guard let isLast = take(1), let kind = take(2) else { return false }
            let isSound =
                switch kind {
                case 0: copyStored()
                case 1: decode(literals: Self.fixedLiterals, distances: Self.fixedDistances)
                case 2: decodeWithOwnCodes()
                default: false
                }
            guard isSound else { return false }
            if isLast == 1 { return true }
        }
        return true
    }

    private mutating func take(_ count: Int) -> Int? {
        while bitCount < count {
            guard position < bytes.count else { return nil }
            bits |= UInt32(bytes[position]) << UInt32(bitCount)
            position += 1
            bitCount += 8
        }
        let value = bits & (1 << UInt32(count) - 1)
        bits >>= UInt32(count)
        bitCount -= count
        return Int(value)
    }

    private mutating func copyStored() -> Bool {
        (bits, bitCount) = (0, 0)
        guard position + 4 <= bytes.count else { return false }
        let length = Int(bytes[position]) | Int(bytes[position + 1]) << 8
        let inverse = Int(bytes[position + 2]) | Int(bytes[position + 3]) << 8
        position += 4
        guard length == ~inverse & 0xFFFF, length <= bytes.count - position else { return false }
        output += bytes[position..<position + min(length, limit - output.count)]
        position += length
        return true
    }

    private mutating func decodeWithOwnCodes() -> Bool {
        guard let literalCount = take(5).map({ $0 + 257 }), let distanceCount = take(5).map({ $0 + 1 }),
            let lengthCount = take(4).map({ $0 + 4 }), literalCount <= 286, distanceCount <= 30
        else { return false }
        var lengths = [UInt8](repeating: 0, count: 19)
        for place in Self.lengthOrder.prefix(lengthCount) {
            guard let length = take(3) else { return false }
            lengths[place] = UInt8(length)
        }
        guard let code = HuffmanCode(lengths: lengths) else { return false }
        lengths = []
        while lengths.count < literalCount + distanceCount {
            guard let symbol = decode(code) else { return false }
            let (value, count): (UInt8, Int?) =
                switch symbol {
                case 16: (lengths.last ?? 0, lengths.isEmpty ? nil : take(2).map { $0 + 3 })
                case 17: (0, take(3).map { $0 + 3 })
                case 18: (0, take(7).map { $0 + 11 })
                default: (UInt8(symbol), 1)
                }
            guard let count, lengths.count + count <= literalCount + distanceCount else { return false }
            lengths += [UInt8](repeating: value, count: count)
        }
        guard let literals = HuffmanCode(lengths: Array(lengths[..<literalCount])),
            let distances = HuffmanCode(lengths: Array(lengths[literalCount...]))
        else { return false }
        return decode(literals: literals, distances: distances)
    }

    private mutating func decode(_ code: HuffmanCode) -> Int? {
        var (value, first, index) = (0, 0, 0)
        for length in 1...HuffmanCode.longest {
            guard let bit = take(1) else { return nil }
            value |= bit
            let count = code.counts[length]
            if value - count < first { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        return nil
    }

    private mutating func decode(literals: HuffmanCode, distances: HuffmanCode) -> Bool {
        while !isFull {
            guard let symbol = decode(literals) else { return false }
            if symbol < 256 {
                output.append(UInt8(symbol))
                continue
            }
            if symbol == 256 { return true }
            guard symbol - 257 < Self.lengths.count else { return false }
            let base = Self.lengths[symbol - 257]
            guard let extra = take(base.extra), let place = decode(distances), place < Self.distances.count,
                let far = take(Self.distances[place].extra)
            else { return false }
            let distance = Self.distances[place].base + far
            guard distance <= output.count else { return false }
            for _ in 0..<min(base.base + extra, limit - output.count) { output.append(output[output.count - distance]) }
        }
        return true
    }

    private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    /// The shortest length of each symbol from 257 on, and the bits that are added to it.
    private static let lengths: [(base: Int, extra: Int)] = {
        var lengths: [(base: Int, extra: Int)] = []
        var base = 3
        for symbol in 0..<28 {
            let extra = max(0, symbol / 4 - 1)
            lengths.append((base, extra))
            base += 1 << extra
        }
        return lengths + [(258, 0)]
    }()
    private static let distances: [(base: Int, extra: Int)] = {
        var distances: [(base: Int, extra: Int)] = []
        var base = 1
        for symbol in 0..<30 {
            let extra = max(0, symbol / 2 - 1)
            distances.append((base, extra))
            base += 1 << extra
        }
        return distances
    }()
    private static let fixedLiterals = HuffmanCode(
        complete: (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
    )
    private static let fixedDistances = HuffmanCode(complete: [UInt8](repeating: 5, count: 30))
}

/// A canonical Huffman code: how many symbols have each length, and the symbols in order.
private struct HuffmanCode {
    static let longest = 15

    private(set) var counts = [Int](repeating: 0, count: HuffmanCode.longest + 1)
    private(set) var symbols: [Int] = []

    /// `nil` when more symbols have short codes than there are such codes.
    init?(lengths: [UInt8]) {
        self.init(complete: lengths)
        var left = 1
        for length in 1...Self.longest {
            left = left << 1 - counts[length]
            guard left >= 0 else { return nil }
        }
    }

    /// A code that is known to be sound.
    init(complete lengths: [UInt8]) {
        for length in lengths where length > 0 { counts[Int(length)] += 1 }
        for length in 1...Self.longest {
            for (symbol, own) in lengths.enumerated() where own == length { symbols.append(symbol) }
        }
    }
}
