import Testing
import Transport

/// Which connection an event is about, where the event does not say.
@Suite struct HandshakeBookTests {
  private static let crypto: Int32 = 0x1100_0001
  private static let mechanism: Int32 = 0x1100_0002
  private static let brokenPipe: Int32 = 32
  private let start = ContinuousClock.now

  private func refusals(_ events: [(HandshakeEvent, address: String, second: Double)]) -> [Refusal]
  {
    var book = HandshakeBook()
    return events.compactMap {
      book.take($0.0, address: $0.address, at: start + .seconds($0.second))
    }
  }

  @Test func failureBelongsToTheNextThatIsClosed() {
    let told = refusals([
      (.accepted(descriptor: 5), "a", 0), (.accepted(descriptor: 6), "b", 0),
      (.failed(.peer(Self.crypto)), "", 0), (.closed(descriptor: 6), "", 0),
      (.failed(.peer(Self.mechanism)), "", 0), (.closed(descriptor: 5), "", 0),
      (.accepted(descriptor: 5), "c", 0), (.failed(.peer(0x1000_0001)), "", 0),
      (.closed(descriptor: 5), "", 0),
    ])
    #expect(
      told == [
        Refusal(address: "b", reason: .handshakeFailed(.keyDiffers)),
        Refusal(address: "a", reason: .handshakeFailed(.mechanismDiffers)),
        Refusal(address: "c", reason: .handshakeFailed(.protocolBroken)),
      ])
  }

  @Test func closedWithoutAWordIsToldUnlessSomeoneWasJudged() {
    let told = refusals([
      (.accepted(descriptor: 5), "worker", 0), (.judged, "", 0),
      (.accepted(descriptor: 6), "stranger", 0), (.closed(descriptor: 6), "", 0),
      (.accepted(descriptor: 6), "doubtful", 0), (.accepted(descriptor: 7), "worker", 0),
      (.judged, "", 0), (.closed(descriptor: 6), "", 0), (.closed(descriptor: 7), "", 0),
      (.closed(descriptor: 5), "", 0),
      // Of what it was never told, it says nothing.
      (.closed(descriptor: 9), "", 0),
    ])
    #expect(told == [Refusal(address: "stranger", reason: .handshakeFailed(.protocolBroken))])
  }

  @Test(arguments: [(0.0, false), (8.0, false), (10.0, true)])
  func slownessIsNoLeaving(second: Double, isSlow: Bool) {
    let told = refusals([
      (.accepted(descriptor: 5), "a", 0), (.failed(.system(Self.brokenPipe)), "", second),
      (.closed(descriptor: 5), "", second),
    ])
    let failure = isSlow ? Refusal.HandshakeFailure.timedOut : .left
    #expect(told == [Refusal(address: "a", reason: .handshakeFailed(failure))])
  }
}
