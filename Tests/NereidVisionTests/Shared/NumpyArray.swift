// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// An array that NumPy saved: `.npy`, format version 1.0, C order, float32 or bytes (numpy.lib.format).
struct NumpyArray {
    let shape: [Int]
    let values: [Float]

    init(contentsOf path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        try #require(data.starts(with: [0x93] + Array("NUMPY".utf8) + [1, 0]), "\(path) is no .npy of version 1.0")
        let headerLength = Int(data[8]) + Int(data[9]) << 8
        let header = String(decoding: data[10..<10 + headerLength], as: UTF8.self)
        try #require(header.contains("'fortran_order': False"), "\(path): \(header)")
        let dimensions = try #require(header.firstMatch(of: /'shape': \(([0-9, ]*)\)/)).output.1
        shape = dimensions.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        let body = data[(10 + headerLength)...]
        if header.contains("'|u1'") {
            values = body.map(Float.init)
        } else {
            try #require(header.contains("'<f4'"), "\(path): \(header)")
            values = body.withUnsafeBytes { bytes in
                stride(from: 0, to: bytes.count, by: 4).map { place in
                    Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
                }
            }
        }
        try #require(values.count == shape.reduce(1, *), "\(path) is cut short")
    }
}
