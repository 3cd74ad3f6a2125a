internal import Foundation
internal import Storage
public import SystemPackage
internal import Tokenizer

/// The texts of a folder to token ids, on one thread.
public struct TokenizerContestant: Contestant {
  private let texts: [[UInt8]]
  private var encoder: TokenEncoder

  /// - Parameters:
  ///   - tokenizer: a `tokenizer.json`, or a SentencePiece model that ends in `.model`.
  ///   - texts: a folder of UTF-8 files.
  /// - Throws: ``TokenizerError``, ``StorageError``, and what is wrong with the folder.
  public init(tokenizer: FilePath, texts: FilePath) throws {
    let bytes = try SmallFile.read(tokenizer, limit: 1 << 28)
    let made = try bytes.withUnsafeBytes { bytes in
      tokenizer.extension == "model"
        ? try Tokenizer(sentencePieceModel: bytes, path: tokenizer.string)
        : try Tokenizer(tokenizerJSON: bytes, path: tokenizer.string)
    }
    encoder = TokenEncoder(made)
    self.texts = try FileManager.default.contentsOfDirectory(atPath: texts.string).sorted().map {
      try SmallFile.read(texts.appending($0), limit: 1 << 28)
    }
  }

  public var details: [String: String] { [:] }

  public mutating func runUnit() throws -> Work {
    var work = Work()
    for text in texts {
      work.tokenCount += text.withUnsafeBufferPointer { text in
        encoder.encode(text, addingSpecialTokens: false).count
      }
    }
    return work
  }
}
