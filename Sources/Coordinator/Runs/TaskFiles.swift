internal import FlapCore
internal import Questions
internal import Storage
internal import SystemPackage
internal import TextData

/// The questions of some files, and where each stands.
struct TaskFiles {
  let questions: [Question]
  private let places: [(path: FilePath, line: Int)]
  /// SHA-256 of all lines.
  let digest: Digest

  /// - Throws: ``UsageError`` with file and line where a line is no question, or is there twice.
  init(_ paths: [FilePath]) throws {
    struct Name: Hashable {
      let task: String
      let id: String
    }
    var questions: [Question] = []
    var places: [(path: FilePath, line: Int)] = []
    var firstPlaces: [Name: Int] = [:]
    var hash = DigestBuilder()
    for path in paths {
      let before = questions.count
      var lines = try TextLines(path: path)
      while let (number, bytes) = try lines.next() {
        let question = try TaskFiles.question(bytes, path, number)
        (bytes + [UInt8(ascii: "\n")]).withUnsafeBytes { hash.update($0) }
        let name = Name(task: question.task, id: question.id)
        if let first = firstPlaces[name].map({ places[$0] }) {
          throw UsageError(
            "\(path), line \(number) has the id \(question.id) of task \(question.task) again, which "
              + "\(first.path), line \(first.line) has: give each question of a task its own")
        }
        firstPlaces[name] = questions.count
        questions.append(question)
        places.append((path, number))
      }
      guard questions.count > before else {
        throw UsageError("\(path) holds no question: each line is one, a JSON object")
      }
    }
    self.questions = questions
    self.places = places
    digest = hash.finalize()
  }

  private static func question(_ bytes: [UInt8], _ path: FilePath, _ line: Int) throws -> Question {
    let read = bytes.withUnsafeBytes { bytes in
      Result { () throws(QuestionDefect) in try Question(line: bytes) }
    }
    switch read {
    case .success(let question): return question
    case .failure(let defect): throw UsageError("\(path), line \(line) \(defect)")
    }
  }

  /// Where a question stands: "FILE, line N".
  func place(ofQuestion index: Int) -> String {
    "\(places[index].path), line \(places[index].line)"
  }
}
