// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Headers of a part")
struct PartHeadersTests {
    static let values: [(text: String, value: String, parameters: [String: String])] = [
        ("form-data", "form-data", [:]),
        ("form-data; name=file", "form-data", ["name": "file"]),
        ("form-data; name=\"file\"; filename=\"a.png\"", "form-data", ["name": "file", "filename": "a.png"]),
        ("form-data;NAME=\"file\";FileName=a.png", "form-data", ["name": "file", "filename": "a.png"]),
        (" form-data \t;  name = \"a b\" ; x", "form-data", ["name": "a b"]),
        (#"form-data; filename="a \"b\" \\ c.png""#, "form-data", ["filename": #"a "b" \ c.png"#]),
        (#"form-data; filename="C:\temp\a.png""#, "form-data", ["filename": #"C:\temp\a.png"#]),
        ("form-data; filename=\"a;b=c.png\"; name=file", "form-data", ["filename": "a;b=c.png", "name": "file"]),
        ("form-data; filename=\"Seegurke ❄ 海鼠.png\"", "form-data", ["filename": "Seegurke ❄ 海鼠.png"]),
        ("form-data; filename=\"a%22b.png\"", "form-data", ["filename": "a%22b.png"]),
        ("form-data; filename=\"", "form-data", ["filename": ""]),
        ("form-data; filename=\"never closed", "form-data", ["filename": "never closed"]),
        ("form-data; name=; =x; ;;", "form-data", ["name": ""]),
        ("form-data; name=first; name=second", "form-data", ["name": "first"]),
        ("multipart/form-data; boundary=----a'b", "multipart/form-data", ["boundary": "----a'b"]),
        ("", "", [:]),
        (";;;", "", [:]),
    ]

    @Test("have values with parameters", arguments: values)
    func parsed(text: String, value: String, parameters: [String: String]) {
        let header = HeaderValue(text)
        #expect(header.value == value)
        #expect(header.parameters == parameters)
    }

    @Test("say what a part is called, and whether it is a file")
    func disposition() throws {
        #expect(try PartHeaders("Content-Disposition: form-data; name=\"a\"") == PartHeaders(name: "a"))
        let file = try PartHeaders(
            "X-Other: 1\r\ncontent-type: image/png\r\ncontent-DISPOSITION: FORM-DATA; name=file; filename=\"\""
        )
        #expect(file == PartHeaders(name: "file", filename: "", contentType: "image/png"))
    }

    static let names: [(parameters: String, filename: String?)] = [
        ("filename*=UTF-8''%E6%B5%B7.png", "海.png"),
        ("filename=\"a.png\"; filename*=UTF-8''%E6%B5%B7.png", "海.png"),
        ("FileName*=utf-8''b.png; filename=a.png", "b.png"),
        ("filename*=\"UTF-8''b%20c.png\"", "b c.png"),
        ("filename*=UTF-8''%FF; filename=a.png", "a.png"),
        ("filename*=klingon''b.png; filename=a.png", "a.png"),
        ("filename*=UTF-8''; filename=a.png", "a.png"),
        ("filename*=UTF-8''", ""),
        ("filename=\"\"; filename*=UTF-8''", ""),
    ]

    @Test("take the name with its character set before the plain one, if it can be read", arguments: names)
    func extendedName(parameters: String, filename: String?) throws {
        #expect(try PartHeaders("Content-Disposition: form-data; name=f; \(parameters)").filename == filename)
    }

    @Test("with a name that can't be read, and no other, are refused")
    func unreadableName() {
        let error = #expect(throws: MultipartError.self) {
            try PartHeaders("Content-Disposition: form-data; name=f; filename*=UTF-8''a%0Ab")
        }
        #expect(error?.description.contains("‘filename*’ can't be read") == true)
    }

    @Test(
        "must say so",
        arguments: [
            "", "X: y", "Content-Type: a/b", "Content-Disposition: form-data", "Content-Disposition: inline; name=a",
        ]
    )
    func incomplete(text: String) {
        #expect(throws: MultipartError.malformed("a part has no ‘Content-Disposition: form-data; name=…’")) {
            try PartHeaders(text)
        }
    }
}
