/// A file of Arrow's IPC format, of which columns of strings are read.
public struct ArrowTable: Table {
  public let columns: [TableColumn]
  private let fields: [ArrowField]
  private let messages: ArrowMessages

  /// - Parameter bytes: of the whole file; who calls keeps them as long as this and its readers.
  public init(_ bytes: UnsafeRawBufferPointer) throws(ColumnsError) {
    let messages = try ArrowMessages(bytes)
    let schema = try ArrowSchema(messages.schema)
    columns = schema.columns
    fields = schema.fields
    self.messages = messages
  }

  public func reader(ofColumn index: Int) -> any ColumnReader {
    precondition(columns[index].isRead)
    return ArrowColumnReader(fields: fields, column: index, messages: messages)
  }
}
