// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidInference
import Testing

@Suite struct TensorTests {
    @Test func holdsACopyOfAnArray() throws {
        let tensor = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        #expect(tensor.elementType == .float32)
        #expect(tensor.shape == [2, 3])
        #expect(tensor.count == 6)
        #expect(tensor.byteCount == 24)
        #expect(tensor.description == "float32[2,3]")
        #expect(try tensor.withElements(of: Float.self) { $0[4] } == 5)
    }

    @Test(arguments: ElementType.allCases)
    func startsAsZerosAtAMultipleOf64Bytes(_ elementType: ElementType) throws {
        let tensor = try Tensor(zeros: elementType, shape: [3, 7])
        #expect(tensor.byteCount == 21 * elementType.byteCount)
        tensor.withBytes { bytes in
            bytes.withUnsafeBytes {
                #expect(Int(bitPattern: $0.baseAddress) % 64 == 0)
                #expect($0.allSatisfy { $0 == 0 })
            }
        }
    }

    @Test func isFilledInPlace() throws {
        let tensor = try Tensor(.uint8, shape: [4]) { bytes in
            for index in 0..<bytes.byteCount {
                bytes.storeBytes(of: UInt8(index * 2), toByteOffset: index, as: UInt8.self)
            }
        }
        #expect(try tensor.withElements(of: UInt8.self) { [$0[0], $0[1], $0[2], $0[3]] } == [0, 2, 4, 6])
    }

    @Test func mayBeEmptyOrASingleNumber() throws {
        #expect(try Tensor([] as [Float], shape: [0, 6]).count == 0)
        let number = try Tensor([7] as [Int64], shape: [])
        #expect(number.count == 1)
        #expect(number.description == "int64[]")
        #expect(try Tensor(zeros: .float16, shape: [0]).withElements(of: Float16.self) { $0.count } == 0)
    }

    @Test func everyElementTypeHasASwiftNumber() {
        let types: [any TensorElement.Type] = [
            Float.self, Float16.self, UInt8.self, Int8.self, Int32.self, Int64.self,
        ]
        #expect(types.map { $0.elementType } == ElementType.allCases)
    }

    @Test func refusesShapesThatCannotBe() {
        #expect(throws: InferenceError.invalidShape([-1, 2])) { try Tensor(zeros: .float32, shape: [-1, 2]) }
        let huge = [Int.max / 2, 3]
        #expect(throws: InferenceError.invalidShape(huge)) { try Tensor(zeros: .float32, shape: huge) }
        #expect("\(InferenceError.invalidShape([-1]))".contains("[-1] is no shape for a tensor"))
    }

    @Test func refusesAnotherNumberOfElements() {
        let error = InferenceError.elementCountMismatch(shape: [2, 2], count: 3)
        #expect(throws: error) { try Tensor([1, 2, 3] as [Float], shape: [2, 2]) }
        #expect("\(error)" == "3 elements do not fill the shape [2, 2]")
    }

    @Test func refusesToBeReadAsAnotherKind() throws {
        let tensor = try Tensor([1] as [Float], shape: [1])
        let error = InferenceError.elementTypeMismatch(held: .float32, asked: .uint8)
        #expect(throws: error) { try tensor.withElements(of: UInt8.self) { $0.count } }
        #expect("\(error)" == "the tensor holds float32 and was read as uint8")
    }

    @Test func passesOnWhatTheBodyThrows() {
        struct Stop: Error {}
        #expect(throws: Stop.self) { try Tensor(.uint8, shape: [1]) { _ in throw Stop() } }
    }
}
