internal import Glibc
internal import SystemPackage

/// Consignments on their way, several at once.
public struct Deliveries: ~Copyable {
  /// So many at once: more share the same line.
  public static let concurrentLimit = 8
  /// A host that hashes a large file says nothing meanwhile.
  public static let silenceLimit = Duration.seconds(600)

  /// A reference, so that processes, which have one owner, can stand in an array.
  private final class Slot {
    let consignment: Consignment
    var process: WorkerProcess?
    var reader: PieceReader
    var delivery: Delivery
    var attempts = 0
    var lastMoved = ContinuousClock.now

    init(_ consignment: Consignment) {
      self.consignment = consignment
      reader = PieceReader(consignment.pieces)
      delivery = Delivery(byteCount: consignment.byteCount)
    }
  }

  private let slots: [Slot]

  public init(_ consignments: [Consignment]) { slots = consignments.map { Slot($0) } }

  public var isOver: Bool { slots.allSatisfy { $0.delivery.outcome != nil } }

  /// In the order of the consignments; nil while one is under way.
  public var outcomes: [DeliveryOutcome?] { slots.map(\.delivery.outcome) }

  public var byteCount: Int { slots.reduce(0) { $0 + $1.consignment.byteCount } }

  /// Bytes that have gone out in this run.
  public var sentByteCount: Int { slots.reduce(0) { $0 + $1.delivery.sentByteCount } }

  /// Bytes that were there already.
  public var skippedByteCount: Int { slots.reduce(0) { $0 + $1.delivery.skippedByteCount } }

  /// Starts what may start, moves what can be moved, and waits up to `timeout` (poll).
  ///
  /// - Throws: ``LaunchError`` when there is no ssh here.
  public mutating func advance(waiting timeout: Duration) throws(LaunchError) {
    var running = slots.count { $0.process != nil }
    for slot in slots where running < Deliveries.concurrentLimit {
      guard slot.process == nil, slot.delivery.outcome == nil else { continue }
      slot.process = try WorkerProcess(slot.consignment.command)
      slot.lastMoved = .now
      running += 1
    }
    wait(timeout)
    for slot in slots where slot.process != nil { move(slot) }
  }

  private func wait(_ timeout: Duration) {
    var items: [pollfd] = []
    for slot in slots {
      if let output = slot.process?.outputDescriptor {
        items.append(pollfd(fd: output, events: Int16(POLLIN), revents: 0))
      }
      if case .sending = slot.delivery.step, let input = slot.process?.inputDescriptor {
        items.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0))
      }
    }
    _ = poll(&items, nfds_t(items.count), Int32(timeout / .milliseconds(1)))
  }

  private func move(_ slot: Slot) {
    let ending = slot.process!.checkEnding()
    let lines = slot.process!.readLines()
    for line in lines { slot.delivery.note(line: line) }
    if !lines.isEmpty { slot.lastMoved = .now }
    send(slot)
    if let ending { slot.delivery.note(ending) }
    if slot.lastMoved + Deliveries.silenceLimit < .now {
      slot.delivery.noteSilence(seconds: Int(Deliveries.silenceLimit.components.seconds))
    }
    guard let outcome = slot.delivery.outcome else { return }
    slot.process = nil
    // Its file closes: there may be many more consignments than descriptors.
    slot.reader = PieceReader(slot.consignment.pieces)
    slot.attempts += 1
    if case .failed(let failure) = outcome, failure.isDamage, slot.attempts == 1 {
      slot.delivery = Delivery(byteCount: slot.consignment.byteCount)
    }
  }

  private func send(_ slot: Slot) {
    while case .sending(let range) = slot.delivery.step {
      guard let bytes = slot.reader.bytes(from: range.lowerBound) else {
        return slot.delivery.noteUnreadable(slot.reader.path(at: range.lowerBound))
      }
      // One that is gone is noticed by its end.
      let count = slot.process!.write(bytes)
      guard count > 0 else { return }
      slot.lastMoved = .now
      slot.delivery.note(sentCount: count)
    }
    if slot.delivery.step == .sent { slot.process!.closeInput() }
  }
}

/// The bytes of files, one after another.
private struct PieceReader {
  private static let chunkBytes = 256 << 10
  private let pieces: [Consignment.Piece]
  private var chunk: [UInt8] = []
  /// Where the chunk begins in the stream.
  private var chunkStart = 0
  private var open: (index: Int, file: OpenFile)?

  /// Closes it when nobody reads any more.
  private final class OpenFile {
    let descriptor: FileDescriptor
    init(_ path: String) throws {
      descriptor = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    }
    deinit { try? descriptor.close() }
  }

  init(_ pieces: [Consignment.Piece]) { self.pieces = pieces }

  /// Some bytes of the stream from `offset` on, at least one.
  ///
  /// - Returns: nil when the file cannot be read that far.
  mutating func bytes(from offset: Int) -> ArraySlice<UInt8>? {
    if offset >= chunkStart, offset < chunkStart + chunk.count {
      return chunk[(offset - chunkStart)...]
    }
    let (index, start) = place(of: offset)
    do {
      if open?.index != index { open = (index, try OpenFile(pieces[index].path)) }
      let count = min(PieceReader.chunkBytes, start + pieces[index].byteCount - offset)
      chunk = try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        filled = try open!.file.descriptor.read(
          fromAbsoluteOffset: Int64(offset - start), into: UnsafeMutableRawBufferPointer(buffer))
      }
    } catch { return nil }
    chunkStart = offset
    return chunk.isEmpty ? nil : chunk[...]
  }

  func path(at offset: Int) -> String { pieces[place(of: offset).index].path }

  /// - Precondition: `offset` is within the stream.
  private func place(of offset: Int) -> (index: Int, start: Int) {
    var start = 0
    for (index, piece) in pieces.enumerated() {
      if offset < start + piece.byteCount { return (index, start) }
      start += piece.byteCount
    }
    preconditionFailure("an offset behind the end of the stream")
  }
}
