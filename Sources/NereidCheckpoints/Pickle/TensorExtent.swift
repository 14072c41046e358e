// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How many elements a tensor has, after the check that all of them lie in its storage.
struct TensorExtent {
    let count: Int

    /// What contradicts itself, in words.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    /// Checks a view.
    ///
    /// - Parameters:
    ///   - offset: The first element's place in the storage.
    ///   - shape: The length of each dimension.
    ///   - strides: From one element to the next in each dimension; 0 repeats an element.
    ///   - capacity: How many elements the storage has.
    init(offset: Int, shape: [Int], strides: [Int], capacity: Int) throws(Fault) {
        guard shape.count == strides.count else {
            throw Fault(description: "a tensor has \(shape.count) dimensions and \(strides.count) strides")
        }
        guard offset >= 0, offset <= capacity else {
            throw Fault(description: "a tensor starts at element \(offset) of a storage that has \(capacity)")
        }
        guard shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
            throw Fault(description: "a tensor of the shape \(shape) with the strides \(strides) runs backwards")
        }
        var product = 1
        var last = offset
        var fits = true
        for (length, stride) in zip(shape, strides) where length > 0 {
            let (next, overflow) = product.multipliedReportingOverflow(by: length)
            guard !overflow else {
                throw Fault(description: "a tensor of the shape \(shape) has more elements than can be counted")
            }
            product = next
            let (reach, reachOverflow) = (length - 1).multipliedReportingOverflow(by: stride)
            let (end, endOverflow) = last.addingReportingOverflow(reach)
            fits = fits && !reachOverflow && !endOverflow
            last = endOverflow ? last : end
        }
        count = shape.contains(0) ? 0 : product
        guard count == 0 || (fits && last < capacity) else {
            throw Fault(
                description: """
                    a tensor of the shape \(shape) with the strides \(strides) from element \(offset) on \
                    goes beyond its storage of \(capacity) elements
                    """
            )
        }
    }
}
