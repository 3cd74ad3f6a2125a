import Launching
import Testing

/// One case per malformation: its code, its line, and one clear line of text.
struct HostsFileErrorTests {
  typealias Code = HostsFileError.Code

  private static let longName = String(repeating: "n", count: 254)

  static let cases: [(text: String, code: Code, line: Int?)] = [
    ("", .noHosts, nil),
    (" \r\n# nothing\n\n", .noHosts, nil),
    (String(repeating: "#", count: (4 << 20) + 1), .fileTooLarge(byteCount: (4 << 20) + 1), nil),
    ("a\n#" + String(repeating: "x", count: 4096), .lineTooLong(byteCount: 4097), 2),
    ("a\nb\u{0}", .controlCharacter(code: 0), 2),
    ("a model=\"/\u{1B}[2J\"", .controlCharacter(code: 27), 1),
    ("a\rb", .controlCharacter(code: 13), 1),
    ("a # \u{9B}2J", .controlCharacter(code: 0x9B), 1),
    ("a # \u{202E}", .controlCharacter(code: 0x202E), 1),
    ("\na lane=4", .unknownKey("lane"), 2),
    ("a Lanes=4", .unknownKey("Lanes"), 1),
    ("a =4", .unknownKey(""), 1),
    ("a lanes", .notAnAssignment("lanes"), 1),
    ("a lanes = 4", .notAnAssignment("lanes"), 1),
    ("a lanes=1 lanes=1", .doubledKey("lanes"), 1),
    ("a lanes=1 slots=1", .doubledKey("lanes"), 1),
    ("a env.A=1 env.A=2", .doubledKey("env.A"), 1),
    ("a\n\nb\na lanes=2", .duplicateHost("a", firstLine: 1), 4),
    ("x@a\ny@A:22", .duplicateHost("A:22", firstLine: 1), 2),
    ("n[1-3]\nn2", .duplicateHost("n2", firstLine: 1), 2),
    ("n[1-3,3]", .duplicateHost("n3", firstLine: 1), 1),
    ("[::1]\n[::1]", .duplicateHost("::1", firstLine: 1), 2),
    ("a lanes=0", .noLanes, 1),
    ("a lanes=000", .noLanes, 1),
    ("a lanes=", .badNumber(key: "lanes", value: "", limit: 4096), 1),
    ("a lanes=-1", .badNumber(key: "lanes", value: "-1", limit: 4096), 1),
    ("a lanes=4097", .badNumber(key: "lanes", value: "4097", limit: 4096), 1),
    ("a numa=1", .badSwitch(key: "numa", value: "1"), 1),
    ("a numa=", .badSwitch(key: "numa", value: ""), 1),
    ("a numa=on numa=on", .doubledKey("numa"), 1),
    ("a threads=0", .badNumber(key: "threads", value: "0", limit: 4096), 1),
    ("a threads=1.5", .badNumber(key: "threads", value: "1.5", limit: 4096), 1),
    (
      "a threads=99999999999999999999",
      .badNumber(key: "threads", value: "99999999999999999999", limit: 4096), 1
    ),
    ("a memory=64", .badMemory("64"), 1),
    ("a memory=64G", .badMemory("64G"), 1),
    ("a memory=0GB", .badMemory("0GB"), 1),
    ("a memory=GB", .badMemory("GB"), 1),
    ("a memory=-1GB", .badMemory("-1GB"), 1),
    ("a memory=9999999999TiB", .badMemory("9999999999TiB"), 1),
    ("a memory=999999999999999999TB", .badMemory("999999999999999999TB"), 1),
    ("a worker=flap-worker", .relativePath(key: "worker", value: "flap-worker"), 1),
    ("a model=~/llama", .relativePath(key: "model", value: "~/llama"), 1),
    ("a model=", .relativePath(key: "model", value: ""), 1),
    ("a env.=1", .badVariableName(""), 1),
    ("a env.1A=1", .badVariableName("1A"), 1),
    ("a env.A-B=1", .badVariableName("A-B"), 1),
    ("a env.É=1", .badVariableName("É"), 1),
    ("@a", .badUser(""), 1),
    ("-oProxyCommand=x@a", .badUser("-oProxyCommand=x"), 1),
    ("-l@a", .badUser("-l"), 1),
    ("b$(id)@a", .badUser("b$(id)"), 1),
    ("b@c@a", .badHost("c@a"), 1),
    ("b@", .badHost(""), 1),
    (":22", .badHost(""), 1),
    ("-oProxyCommand", .badHost("-oProxyCommand"), 1),
    ("..", .badHost(".."), 1),
    ("lanes=4", .badHost("lanes=4"), 1),
    ("a;id", .badHost("a;id"), 1),
    ("höst", .badHost("höst"), 1),
    ("a/b", .badHost("a/b"), 1),
    ("[zz::1]", .badAddress("zz::1"), 1),
    ("[1:3]", .badAddress("1:3"), 1),
    ("[fe80::1%]", .badAddress("fe80::1%"), 1),
    ("[fe80::1%a/b]", .badAddress("fe80::1%a/b"), 1),
    ("fe80::1", .unbracketedAddress("fe80::1"), 1),
    ("a:", .badPort("", host: "a"), 1),
    ("a:0", .badPort("0", host: "a"), 1),
    ("a:65536", .badPort("65536", host: "a"), 1),
    ("a:ssh", .badPort("ssh", host: "a"), 1),
    ("a:-4", .badPort("-4", host: "a"), 1),
    ("[::1]22", .badPort("2", host: "[::1]"), 1),
    ("n[4-2]", .badRange(.reversed("4-2"), host: "n[4-2]"), 1),
    ("n[1-70000]", .badRange(.tooMany, host: "n[1-70000]"), 1),
    ("n[1-65536]\nm", .badRange(.tooMany, host: "m"), 2),
    ("n[0-999999999]", .badRange(.tooMany, host: "n[0-999999999]"), 1),
    (
      "n" + String(repeating: "[0-999999999]", count: 12),
      .badRange(
        .tooMany, host: "n" + "[0-999999999][0-999999999][0-999999999][0-999999999][0-9999…"),
      1
    ),
    (longName, .badRange(.tooLong(limit: 253), host: String(repeating: "n", count: 60) + "…"), 1),
    ("n[]", .badRange(.badPart(""), host: "n[]"), 1),
    ("n[1,]", .badRange(.badPart(""), host: "n[1,]"), 1),
    ("n[1-]", .badRange(.badPart("1-"), host: "n[1-]"), 1),
    ("n[1-2-3]", .badRange(.badPart("1-2-3"), host: "n[1-2-3]"), 1),
    ("n[a-c]", .badRange(.badPart("a-c"), host: "n[a-c]"), 1),
    ("n[1-016]", .badRange(.badPart("1-016"), host: "n[1-016]"), 1),
    ("n[1234567890]", .badRange(.badPart("1234567890"), host: "n[1234567890]"), 1),
    ("n[1-2", .badRange(.unbalancedBracket, host: "n[1-2"), 1),
    ("n1-2]", .badRange(.unbalancedBracket, host: "n1-2]"), 1),
    ("n[1[2]]", .badRange(.unbalancedBracket, host: "n[1[2]]"), 1),
    ("a model=\"/x", .unbalancedQuote, 1),
    ("a model=/x\"", .unbalancedQuote, 1),
    ("a \"model=/x\"", .unbalancedQuote, 1),
    ("\"a\"", .unbalancedQuote, 1),
    ("a model=\"/x\"y", .textAfterQuote, 1),
  ]

  @Test("one malformation", arguments: cases.indices)
  func malformed(index: Int) throws {
    let (text, code, line) = HostsFileErrorTests.cases[index]
    let error = #expect(throws: HostsFileError.self) { try HostsFile(text: text) }
    #expect(error == HostsFileError(code, line: line))
    let description = try #require(error).description
    #expect(description.hasPrefix(line.map { "hosts file, line \($0): " } ?? "hosts file"))
    #expect(description.utf8.count < 400)
    #expect(!description.unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  @Test("bytes that are no UTF-8", arguments: [[0xFF], [0x61, 0xC3], [0xED, 0xA0, 0x80]])
  func invalidText(bytes: [UInt8]) {
    #expect(throws: HostsFileError(.invalidText, line: 2)) {
      try HostsFile(bytes: Array("a\n".utf8) + bytes)
    }
  }

  @Test(
    "what an error says",
    arguments: [
      (
        "\na lane=4",
        "hosts file, line 2: unknown key `lane`: known are lanes, threads, memory, numa, worker, model, "
          + "env.NAME"
      ),
      (
        "node1:999999",
        "hosts file, line 1: `:999999` is not a port from 1 to 65535: `host:4` is an ssh port here; "
          + "lanes are `node1 lanes=4`"
      ),
      (
        "a\n#\na",
        "hosts file, line 3: `a` is already in line 1: keep one of the lines"
      ),
      (
        "n[3-1]",
        "hosts file, line 1: host `n[3-1]`: its range `3-1` runs backwards: write the smaller "
          + "number first"
      ),
      ("", "hosts file: names no host: write one host a line, such as `node1 lanes=4`"),
    ])
  func descriptions(text: String, description: String) {
    let error = #expect(throws: HostsFileError.self) { try HostsFile(text: text) }
    #expect(error?.description == description)
  }
}
