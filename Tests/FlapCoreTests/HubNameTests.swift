import FlapCore
import Testing

struct HubNameTests {
  @Test(
    "names on the hub",
    arguments: [
      ("meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B", nil), ("gpt2", "gpt2", nil),
      ("o/m@v1.0", "o/m", "v1.0"), ("o/m@refs/pr/1", "o/m", "refs/pr/1"),
    ] as [(String, String, String?)])
  func names(text: String, id: String, revision: String?) throws {
    let name = try #require(HubName(text))
    #expect(name.id == id && name.revision == revision && "\(name)" == text)
    #expect(name.hasOwner == id.contains("/"))
  }

  @Test(
    "what huggingface_hub refuses, too",
    arguments: [
      "", "/", "o/", "/m", "a/b/c", "o/m--n", "a..b", ".o/m", "o/m.", "-o/m", "o/m-", "o/m.git",
      "o m",
      "o/m@", "o/m@../x", "o/m@/x", "o/m@a b", "ö/m", String(repeating: "a", count: 97),
    ])
  func refused(text: String) {
    #expect(HubName(text) == nil)
  }

  @Test("folders of the cache")
  func folders() {
    #expect(HubName("o/m")?.folderName == "models--o--m")
    #expect(HubName(snapshot: "/a/models--o--m/snapshots/0f/")?.description == "o/m@0f")
    #expect(HubName(snapshot: "/a/models--o--m/snapshots") == nil)
    #expect(HubName(snapshot: "/a/models--../snapshots/0f") == nil)
  }
}
