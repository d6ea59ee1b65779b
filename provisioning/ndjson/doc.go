// Package ndjson keeps records in a file, a line of JSON each: one that only its
// owner can read, that overwrites nothing, and in which every line is whole
// whatever ends the program. A name that ends in .zst is compressed.
//
// It knows nothing of what the lines say.
package ndjson
