import FlapTestKit
import Testing
import Transport

struct CoordinatorKeysTests {
  @Test("what is written is read")
  func roundTrip() throws {
    let clients = try [CurveKeyPair.generate(), CurveKeyPair.generate()].map(\.publicKey)
    let keys = CoordinatorKeys(server: try .generate(), allowedClients: Set(clients))
    #expect(try CoordinatorKeys(text: keys.text) == keys)
  }

  @Test("a file that is cut or changed at random is refused, or means the same")
  func damaged() throws {
    let keys = CoordinatorKeys(
      server: try .generate(), allowedClients: [try CurveKeyPair.generate().publicKey])
    let valid = Array(keys.text.utf8)
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<FuzzCount.perTest / 10 {
      var text = valid
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: text.removeLast(Int.random(in: 2...text.count, using: &generator))
      case 1: text.insert(UInt8(ascii: "\n"), at: Int.random(in: 0..<text.count, using: &generator))
      default: text.removeSubrange(0..<Int.random(in: 1...text.count, using: &generator))
      }
      let read = try? CoordinatorKeys(text: String(decoding: text, as: UTF8.self))
      #expect(read == nil || read == keys)
    }
  }

  @Test("an error names the line and shows nothing of it")
  func error() throws {
    let error = #expect(throws: KeyFileError.self) {
      try CoordinatorKeys(text: "flap-keys 1\nserver-secret-key hunter2\nend\n")
    }
    #expect(error?.description.contains("hunter2") == false)
  }
}
