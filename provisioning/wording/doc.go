// Package wording is for words that people type, of which some are wrong, and
// for texts from outside, of which some are hostile: it names the word that was
// meant, and shows a text so that it works no terminal and fools no reader.
package wording
