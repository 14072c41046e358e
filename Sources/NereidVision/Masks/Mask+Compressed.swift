// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging

extension Mask {
    /// The run lengths as the short text that COCO's tools write and read as `counts`.
    ///
    /// From the fourth run on, the difference to the run before the last one stands for the run. Each number is written
    /// five bits at a time, lowest first, a sixth bit saying that more follow, plus 48 so that all are printable
    /// (`rleToString` in `common/maskApi.c` of `pycocotools`).
    public var compressedCounts: String {
        var text: [UInt8] = []
        for (index, count) in counts.enumerated() {
            var value = index > 2 ? Int(count) - Int(counts[index - 2]) : Int(count)
            var more = true
            while more {
                var digit = UInt8(value & 0x1F)
                value >>= 5
                // Bit 4 of the last digit is the sign.
                more = digit & 0x10 != 0 ? value != -1 : value != 0
                if more { digit |= 0x20 }
                text.append(digit + 48)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads a mask from COCO's short text; `nil` when it is not one of a picture of this size.
    public init?(size: PixelSize, compressedCounts text: String) {
        var counts: [UInt32] = []
        var bytes = text.utf8.makeIterator()
        while let first = bytes.next() {
            var (value, shift) = (0, 0)
            var byte = first
            while true {
                guard (48..<112).contains(byte), shift < 40 else { return nil }
                let digit = Int(byte - 48)
                value |= (digit & 0x1F) << shift
                shift += 5
                if digit & 0x20 == 0 {
                    if digit & 0x10 != 0 { value |= -1 << shift }
                    break
                }
                guard let next = bytes.next() else { return nil }
                byte = next
            }
            if counts.count > 2 { value += Int(counts[counts.count - 2]) }
            guard let count = UInt32(exactly: value) else { return nil }
            counts.append(count)
        }
        self.init(size: size, counts: counts)
    }
}
