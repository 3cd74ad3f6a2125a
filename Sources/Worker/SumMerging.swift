internal import Coordination
internal import FlapCore
internal import Kernels
internal import Measurement
internal import Peers
internal import Statistics
internal import Storage
internal import SystemPackage
internal import Transport

/// Adds up the sums of one map, wherever they lie: this worker's own, files that all see, and those
/// that other workers give.
///
/// They are added piece by piece as they come, into memory that the system may write to a file. One
/// that is not where it should be, or is not what its digest says, is lost: it is told, and nothing is
/// written.
struct SumMerging {
  private let merge: SumMerge
  private let held: SumStore
  private let peers: PeerClient?
  private let folder: String
  private let layout: IntegerLayout
  private let progress: TaskProgress

  /// For how long a worker that is asked may be silent.
  private static let patience = Duration.seconds(8)

  /// - Parameters:
  ///   - inputs: of the tap's channels.
  ///   - peers: nil: others cannot be asked.
  ///   - folder: for the sums.
  ///   - outputCount: of the map.
  init(
    _ merge: SumMerge, _ inputs: MapChannels, held: SumStore, peers: PeerClient?, folder: String,
    outputCount: Int,
    progress: TaskProgress
  ) {
    self.merge = merge
    self.held = held
    self.peers = peers
    self.folder = folder
    self.progress = progress
    let channels = merge.exponents.count
    layout =
      switch merge.origin {
      case .dense: SecondMoments.layout(inputs)
      case .pruned: TargetMoments.layout(channelCount: channels, outputCount: outputCount)
      }
  }

  /// - Parameter write: writes the file; gets the sums, and those of the leaves that are held out, where
  ///   there are any.
  func run(
    write: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Void
  ) throws -> MergeOutcome {
    let kinds: [SumKind] =
      switch merge.origin {
      case .dense: [.kept, .heldOut]
      case .pruned: [.targets]
      }
    let pieces = layout.pieces(ofAtMost: PeerLimits.partBytes)
    progress.expect(steps: merge.sources.count * pieces.count)
    var lost: [Digest] = []
    let sums = try kinds.map { kind in
      let sum = try ScratchBuffer(byteCount: layout.byteCount, inFileOf: folder)
      for source in merge.sources where source.kind == kind {
        let isThere =
          try add(source, pieces, to: sum.bytes)
        guard !isThere else { continue }
        lost.append(source.digest)
        progress.extraStep()
      }
      return sum
    }
    guard lost.isEmpty else { return .lost(lost) }
    return try withExtendedLifetime(sums) {
      if case .pruned = merge.origin { try checkOverflow(sums[0].bytes) }
      let bytes = sums.map { UnsafeRawBufferPointer(start: $0.bytes, count: layout.byteCount) }
      let counts = bytes.map { SecondMoments.count(in: $0) } + [0]
      guard counts[0] == merge.tokenCount, counts[1] == merge.heldOutTokenCount else {
        throw PlanError.otherSamples
      }
      try write(bytes[0], bytes.last!)
      return .merged(tokenCount: counts[0], heldOutTokenCount: counts[1])
    }
  }

  /// The inputs of a pruned model may be larger than there is room for: then a sum of squares is below 0.
  private func checkOverflow(_ sums: UnsafeMutableRawPointer) throws {
    let channels = merge.exponents.count
    let triangle = 8 + 8 * channels
    let overflow = (0..<channels).first { channel in
      let diagonal = SecondMoments.productCount(channel + 1) - 1
      return sums.loadUnaligned(fromByteOffset: triangle + 4 * diagonal, as: Int32.self) < 0
    }
    if let overflow { throw MeasurementError.overflow(merge.place, channel: overflow) }
  }

  /// - Returns: whether it was there and true to its digest.
  private func add(
    _ source: SumMerge.Source, _ pieces: [Range<Int>], to sum: UnsafeMutableRawPointer
  ) throws -> Bool {
    var digest = DigestBuilder()
    func take(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws {
      digest.update(bytes)
      layout.add(bytes, at: range, to: sum)
      try progress.step()
    }
    if let own = held.find(source.digest) {
      guard own.byteCount == layout.byteCount else { return false }
      for piece in pieces {
        try own.bytes(in: piece).withUnsafeBytes { try take(piece, $0) }
      }
      return true
    }
    switch source.location {
    case .file(let path):
      guard let file = try? MappedFile(path: FilePath(path)), file.byteCount == layout.byteCount
      else { return false }
      for piece in pieces {
        try take(piece, UnsafeRawBufferPointer(rebasing: file.bytes[piece]))
      }
    case .worker(let endpoint):
      guard let peers, !endpoint.isEmpty, !held.isGone(endpoint) else { return false }
      do {
        try peers.fetch(
          source.digest, byteCount: layout.byteCount, from: endpoint, ranges: pieces,
          patience: SumMerging.patience, isAbandoned: { progress.isAbandoned },
          take: { range, bytes in try bytes.withUnsafeBytes { try take(range, $0) } })
      } catch let error as PeerError {
        switch error {
        case .abandoned: throw TaskProgress.Abandoned()
        case .unreachable, .silent: held.noteGone(endpoint)
        case .gone, .malformed: break
        }
        return false
      } catch is TransportError {
        return false
      }
    }
    return digest.finalize() == source.digest
  }
}
