package report

import _ "embed"

// Schema is the JSON Schema of what JSON writes. It is made from the structs;
// go generate makes it again.
//
//go:generate go test . -run TestSchemaIsGenerated -update
//go:embed summary.schema.json
var Schema []byte
