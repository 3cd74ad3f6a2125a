// Placeholder: written by its module's author.
