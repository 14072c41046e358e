// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What the headers of a multipart part say (RFC 7578, section 4).
struct PartHeaders: Equatable {
    /// The form field's name.
    let name: String
    /// The file's name, when the part is a file: of `filename*` and `filename`, the first that can be read.
    let filename: String?
    /// The media type; clients may leave it out.
    let contentType: String?

    init(name: String, filename: String? = nil, contentType: String? = nil) {
        self.name = name
        self.filename = filename
        self.contentType = contentType
    }

    /// Reads header lines separated by CRLF.
    init(_ text: String) throws(MultipartError) {
        var disposition: HeaderValue?
        var contentType: String?
        for line in text.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":") else {
                throw .malformed("a part's header line has no colon")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            switch line[..<colon].lowercased() {
            case "content-disposition": disposition = HeaderValue(String(value))
            case "content-type": contentType = String(value)
            default: break
            }
        }
        guard let disposition, disposition.value.lowercased() == "form-data", let name = disposition.parameters["name"]
        else {
            throw .malformed("a part has no ‘Content-Disposition: form-data; name=…’")
        }
        let filename = disposition.parameters["filename"]
        guard let extended = disposition.parameters["filename*"] else {
            self.init(name: name, filename: filename, contentType: contentType)
            return
        }
        let text = ExtendedValue(extended)?.text
        guard let better = text.flatMap({ $0.isEmpty ? nil : $0 }) ?? filename ?? text else {
            throw .malformed(
                "a part's ‘filename*’ can't be read; write it as UTF-8''NAME with percent signs (RFC 8187), or write ‘filename’"
            )
        }
        self.init(name: name, filename: better, contentType: contentType)
    }
}

/// A header's value with its parameters: `form-data; name="file"; filename="a \"b\".png"` (RFC 9110, section 5.6.6).
struct HeaderValue: Equatable {
    let value: String
    let parameters: [String: String]

    init(_ text: String) {
        var rest = text[...]
        value = Self.takeToken(&rest, until: [";"]).trimmed
        var parameters: [String: String] = [:]
        while rest.first == ";" {
            rest.removeFirst()
            let key = Self.takeToken(&rest, until: ["=", ";"]).trimmed.lowercased()
            guard rest.first == "=" else { continue }
            rest.removeFirst()
            rest = rest.drop { $0 == " " || $0 == "\t" }
            let parameter = rest.first == "\"" ? Self.takeQuoted(&rest) : Self.takeToken(&rest, until: [";"]).trimmed
            if !key.isEmpty, parameters[key] == nil { parameters[key] = parameter }
            rest = rest.drop { $0 != ";" }
        }
        self.parameters = parameters
    }

    private static func takeToken(_ text: inout Substring, until stops: Set<Character>) -> Substring {
        let token = text.prefix { !stops.contains($0) }
        text = text[token.endIndex...]
        return token
    }

    private static func takeQuoted(_ text: inout Substring) -> String {
        text.removeFirst()
        var result = ""
        while let character = text.popFirst() {
            if character == "\"" { break }
            // Browsers write a quotation mark in a file's name as %22; others escape it.
            if character == "\\", text.first == "\"" || text.first == "\\", let next = text.popFirst() {
                result.append(next)
            } else {
                result.append(character)
            }
        }
        return result
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
