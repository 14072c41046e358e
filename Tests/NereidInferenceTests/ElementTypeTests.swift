// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidInference

@Suite struct ElementTypeTests {
    @Test(arguments: zip(ElementType.allCases, [4, 2, 1, 1, 4, 8]))
    func knowsItsSize(_ elementType: ElementType, _ byteCount: Int) {
        #expect(elementType.byteCount == byteCount)
    }

    @Test(arguments: ElementType.allCases)
    func isFoundByItsNumber(_ elementType: ElementType) {
        #expect(ElementType(onnxCode: elementType.onnxCode) == elementType)
    }

    @Test(arguments: [(8, "string"), (9, "bool"), (11, "float64"), (16, "bfloat16"), (99, "type99")])
    func namesKindsThatItDoesNotCarry(_ code: Int32, _ name: String) {
        #expect(ElementType(onnxCode: code) == nil)
        #expect(ElementType.onnxName(of: code) == name)
    }

    @Test func printsFreeDimensionsByNameOrAsAQuestionMark() {
        let shape: [Dimension] = [.free(name: "batch"), .fixed(3), .free(name: nil)]
        let description = TensorDescription(name: "mask", elementTypeName: "bool", shape: shape)
        #expect(description.description == "mask bool[batch,3,?]")
    }
}
