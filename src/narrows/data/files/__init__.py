"""Files: read many formats into arrays, and write arrays so that a crash leaves no partial file.

No function here reads a pickle, because a pickle can run any code.
"""

from narrows.data.files.dataset import Dataset, column_indices
from narrows.data.files.reading import read
from narrows.data.files.writing import write_array, write_columns

__all__ = ["Dataset", "column_indices", "read", "write_array", "write_columns"]
