/// The rows of a column of strings, record batch after record batch.
struct ArrowColumnReader: ColumnReader {
  private let fields: [ArrowField]
  private let column: Int
  private var messages: ArrowMessages
  private var dictionary: [[UInt8]?]?
  private var batch: ArrowRows?
  private var row = 0

  init(fields: [ArrowField], column: Int, messages: ArrowMessages) {
    self.fields = fields
    self.column = column
    self.messages = messages
  }

  mutating func next() throws(ColumnsError) -> Cell? {
    while row >= batch?.count ?? 0 {
      batch = nil
      row = 0
      guard let message = try messages.next() else { return nil }
      switch message.kind {
      case 2: try readDictionary(message)
      case 3:
        batch = try ArrowRows(
          fields, column: column, dictionary: dictionary,
          ArrowBatch(message.header, message.body, offset: message.bodyOffset))
      default: continue
      }
    }
    defer { row += 1 }
    return try batch!.cell(row)
  }

  /// DictionaryBatch of `Message.fbs`; those of other columns are left.
  private mutating func readDictionary(_ message: ArrowMessages.Message) throws(ColumnsError) {
    let field = fields[column]
    guard let expected = field.dictionary, try message.header.number(0, Int64.self) == expected.id
    else { return }
    guard let data = try message.header.table(1) else {
      throw .damaged(part: "a dictionary", offset: message.bodyOffset)
    }
    let strings = try ArrowRows(
      [field.decoded], column: 0, dictionary: nil,
      ArrowBatch(data, message.body, offset: message.bodyOffset))
    guard strings.count <= ColumnLimits.dictionaryValues else {
      throw .tooLarge(
        part: "a dictionary", declared: strings.count, limit: ColumnLimits.dictionaryValues,
        offset: message.bodyOffset)
    }
    let isDelta = try message.header.number(2, UInt8.self) != 0
    var values = isDelta ? dictionary ?? [] : []
    for index in 0..<strings.count {
      if case .text(let text) = try strings.cell(index) {
        values.append(text)
      } else {
        values.append(nil)
      }
    }
    dictionary = values
  }
}

extension ArrowField {
  /// The field that its dictionary's strings are.
  fileprivate var decoded: ArrowField {
    ArrowField(name: name, layout: layout, children: children, dictionary: nil)
  }

  private init(name: String, layout: Layout, children: [ArrowField], dictionary: Dictionary?) {
    self.name = name
    self.layout = layout
    self.children = children
    self.dictionary = dictionary
  }
}
