package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"expunge/pipeline/seal"
)

func keysCommand(f *flags) *cobra.Command {
	var approver bool
	c := &cobra.Command{
		Use:   "keys",
		Short: "The public half of the signing key; keys new makes a key, keys rotate brings in a new work key",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if approver { // who approves has no config, and no work key
				return f.printPublic(approverKey)
			}
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			name := a.cfg.Signing.KeyEnv
			if name == "" {
				return usage("the config names no signing key: set signing: {key_env: …}")
			}
			return f.printPublic(name)
		},
	}
	c.Flags().BoolVar(&approver, "approver", false, "the public half of the approver's key in "+approverKey+", for the config")
	c.AddCommand(&cobra.Command{
		Use:   "new",
		Short: "Print a fresh key in base64: a work key, or the seed of a signing key",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			line, err := seal.NewKeyLine(rand.Reader)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(map[string]string{"key": line})
			}
			fmt.Println(line)
			return nil
		},
	})
	c.AddCommand(rotateCommand(f))
	return c
}

// printPublic prints the public half of the Ed25519 key in an environment variable.
func (f *flags) printPublic(variable string) error {
	key, err := seal.ParseSigner(variable, os.Getenv(variable))
	if err != nil {
		return &coded{exitUsage, err}
	}
	line := seal.PublicLine(key.Public().(ed25519.PublicKey))
	if f.json {
		return printJSON(map[string]string{"public_key": line})
	}
	fmt.Println(line)
	return nil
}
