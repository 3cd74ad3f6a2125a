import FlapCore
import FlapTestKit
import Foundation
import Kernels
import Testing

/// Σ y_i x_j and Σ y_i in fixed point.
struct CrossMomentTests {
  /// Outputs and channels: less than a tile, ragged ones, more than one block of rows and columns.
  static let widths = [(1, 1), (19, 37), (130, 270)]

  /// Exponents of the scales of x, channel by channel.
  static func exponents(_ channels: Int) -> [Int8] { (0..<channels).map { Int8($0 % 5) - 2 } }

  /// What a leaf brings: two panels or three, some of whose rows are no tokens.
  struct Piece {
    let x, y: Matrix
    let rowCounts: [UInt8]

    init(outputs: Int, channels: Int, rowCounts: [UInt8], seed: UInt64) {
      self.rowCounts = rowCounts
      x = Matrix(rowCounts, channels, seed: seed)
      y = Matrix(rowCounts, outputs, seed: seed + 100)
    }
  }

  struct Matrix {
    let width: Int
    let rowCounts: [UInt8]
    /// f32 [16 · panels, width]; NaN in rows that do not count.
    var values: [Float]

    init(_ rowCounts: [UInt8], _ width: Int, seed: UInt64) {
      self.width = width
      self.rowCounts = rowCounts
      values = numbers(rowCounts.count * Tile.side * width, seed: seed)
      for row in 0..<rowCounts.count * Tile.side where !isToken(row) {
        for column in 0..<width { values[row * width + column] = .nan }
      }
    }

    func isToken(_ row: Int) -> Bool { row % Tile.side < rowCounts[row / Tile.side] }

    var tokens: [Int] { (0..<rowCounts.count * Tile.side).filter(isToken) }

    func tiles(_ compute: ComputeType, in buffer: ScratchBuffer) -> RowTiles {
      let tiles = RowTiles(compute, channels: width, at: buffer.bytes)
      values.withUnsafeBufferPointer {
        tiles.pack(
          $0.baseAddress!, stride: width, rows: rowCounts.count * Tile.side, atRow: 0,
          channels: 0..<width)
      }
      return tiles
    }
  }

  static let limit = 3 * Tile.side

  private func pieces(_ outputs: Int, _ channels: Int) -> [Piece] {
    let rowCounts: [[UInt8]] = [[16, 5], [16, 16, 1], [7], [16, 0, 9]]
    return rowCounts.enumerated().map { index, rowCounts in
      Piece(
        outputs: outputs, channels: channels, rowCounts: rowCounts, seed: UInt64(10 * index + 1))
    }
  }

  private struct Bits: Equatable {
    let sums, products: [Int64]
  }

  private func sum(
    _ pieces: [Piece], _ outputs: Int, _ channels: Int, _ compute: ComputeType, threads: Int
  ) throws -> Bits {
    // Larger than need be, so that strides are those of the sums in use.
    let sums = try CrossMomentSums(outputs: outputs, largestChannelCount: channels + 3)
    let inputs = try SecondMomentSums(largestChannelCount: channels + 3)
    let team = ThreadTeam(threadCount: threads)
    let limit = CrossMomentTests.limit
    let scratch = try [channels + 3, outputs].map {
      try SecondMomentScratch(compute, rows: limit, channels: $0, threadCount: threads)
    }
    let buffers = try [channels, outputs].map {
      try ScratchBuffer(byteCount: RowTiles.byteCount(compute, rows: limit, channels: $0))
    }
    let exponents = CrossMomentTests.exponents(channels)
    // What was there before does not count.
    for round in 0..<2 {
      sums.reset(exponents: exponents)
      inputs.reset(exponents: exponents)
      for piece in round == 0 ? Array(pieces.prefix(1)) : pieces {
        let x = piece.x.tiles(compute, in: buffers[0])
        inputs.add(x, rowCounts: piece.rowCounts, team: team, scratch: scratch[0])
        sums.add(
          piece.y.tiles(compute, in: buffers[1]), scratch: scratch[1], by: x, scratch: scratch[0],
          rowCounts: piece.rowCounts, team: team)
      }
    }
    return Bits(sums: Array(sums.sums), products: Array(sums.products))
  }

  @Test("the sums are those in f64", arguments: ComputeType.allCases, widths)
  func reference(compute: ComputeType, width: (Int, Int)) throws {
    let (outputs, channels) = width
    let pieces = pieces(outputs, channels)
    let found = try sum(pieces, outputs, channels, compute, threads: 2)
    func operand(_ value: Float) -> Double {
      Double(compute == .bfloat16 ? Float(bfloat16Bits: value.bfloat16Bits) : value)
    }
    let exponents = CrossMomentTests.exponents(channels)
    let unit = 0x1p-24
    for output in 0..<outputs {
      var sum = 0.0
      var products = [Double](repeating: 0, count: channels)
      for piece in pieces {
        for row in piece.x.tokens {
          let y = operand(piece.y.values[row * outputs + output])
          sum += y
          for channel in 0..<channels {
            products[channel] += y * operand(piece.x.values[row * channels + channel])
          }
        }
      }
      // Each of the four matrices is rounded once, by half a unit.
      #expect(abs(Double(found.sums[output]) * unit - sum) <= 2.5 * unit)
      for channel in 0..<channels {
        let scale = Double(sign: .plus, exponent: -Int(exponents[channel]), significand: unit)
        let product = Double(found.products[output * channels + channel]) * scale
        // 86 terms of at most 1, in f32: 2⁻²⁴ of a partial sum for each.
        #expect(abs(product - products[channel]) <= 86 * 33 * 0x1p-24 + 2.5 * scale)
      }
    }
  }

  @Test("any order and number of threads gives the same bits", arguments: ComputeType.allCases)
  func sameBits(compute: ComputeType) throws {
    let (outputs, channels) = (130, 270)
    let pieces = pieces(outputs, channels)
    let expected = try sum(pieces, outputs, channels, compute, threads: 1)
    #expect(try sum(pieces, outputs, channels, compute, threads: 3) == expected)
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<3 {
      let shuffled = pieces.shuffled(using: &generator)
      #expect(try sum(shuffled, outputs, channels, compute, threads: 3) == expected)
    }
  }

  @Test("in parts they add up to the same bits")
  func parts() throws {
    let (outputs, channels) = (19, 37)
    let pieces = pieces(outputs, channels)
    let whole = try sum(pieces, outputs, channels, .bfloat16, threads: 1)
    let parts = try pieces.map { try sum([$0], outputs, channels, .bfloat16, threads: 1) }
    for index in whole.products.indices {
      #expect(parts.reduce(0) { $0 + $1.products[index] } == whole.products[index])
    }
    for index in whole.sums.indices {
      #expect(parts.reduce(0) { $0 + $1.sums[index] } == whole.sums[index])
    }
  }
}

/// Memory that lies in a file.
struct ScratchBufferTests {
  @Test("a file's memory is usable and leaves nothing behind", arguments: [1, 4096, 5 << 20])
  func inFile(byteCount: Int) throws {
    let folder = try TemporaryFolder()
    let buffer = try ScratchBuffer(byteCount: byteCount, inFileOf: folder.path)
    #expect(buffer.byteCount >= byteCount)
    let bytes = UnsafeMutableRawBufferPointer(start: buffer.bytes, count: buffer.byteCount)
    #expect(bytes.allSatisfy { $0 == 0 })
    for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 7) }
    #expect(bytes.indices.allSatisfy { bytes[$0] == UInt8(truncatingIfNeeded: $0 &* 7) })
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("where there is no folder, one line names it")
  func noFolder() throws {
    let folder = try TemporaryFolder().path("none")
    let error = #expect(throws: OutOfMemory.self) {
      _ = try ScratchBuffer(byteCount: 3 << 20, inFileOf: folder)
    }
    #expect(error == OutOfMemory(byteCount: 3 << 20, folder: folder))
    let line = try #require(error).description
    #expect(line.contains("3 MiB in \(folder)") && !line.contains("\n"))
  }
}
