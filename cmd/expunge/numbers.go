package main

import (
	"context"
	"errors"
	"fmt"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/config"
	"expunge/pipeline/naming"
	"expunge/pipeline/record"
	"expunge/scanners"
)

// readPool reads the accounts' own numbers from the datasets that list them. What cannot
// be read is no reason to go on without: a number that is not known as the business's
// would hand over and erase the records of all who called it.
func (a *app) readPool(ctx context.Context) error {
	var stores map[string]connectors.Store
	for i := range a.cfg.Datasets {
		d := &a.cfg.Datasets[i]
		if d.Business == nil {
			continue
		}
		if stores == nil {
			var err error
			if stores, err = a.stores(ctx); err != nil {
				return err
			}
		}
		if err := a.readNumbers(ctx, stores, d); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &coded{exitRefused, fmt.Errorf("read business numbers of dataset %s: %w; nothing was begun without them", d.Name, err)}
		}
	}
	a.pool.Done()
	return nil
}

// readNumbers reads all current objects of a dataset.
func (a *app) readNumbers(ctx context.Context, stores map[string]connectors.Store, d *pipeline.Dataset) error {
	at, err := config.Compile(d.At)
	if err != nil {
		return err
	}
	names, accounts, objects, numbers := a.names(stores), a.cfg.AccountIDs(), 0, int64(0)
	for listed, err := range stores[at.Store()].List(ctx, at.Prefix()) {
		if err != nil {
			return cause(err)
		}
		captures, claimed := at.Match(at.Store(), listed.Key)
		if !claimed {
			continue
		}
		o := pipeline.Object{Object: listed, Account: accounts[captures["account"]], Captures: captures}
		o.Store = at.Store()
		n, err := a.readNumbersOf(ctx, stores[o.Store], names, d, &o, accounts)
		if err != nil {
			return err
		}
		objects, numbers = objects+1, numbers+n
	}
	if objects == 0 {
		return fmt.Errorf("no object matches %q: mend the pattern, or leave business_numbers out", d.At)
	}
	if numbers == 0 {
		return fmt.Errorf("none of its records has anything in field %q: mend the field, or leave business_numbers out", d.Business.Field)
	}
	return nil
}

// readNumbersOf reads one object, and counts the values of the field that lists numbers.
func (a *app) readNumbersOf(ctx context.Context, store connectors.Store, names *naming.Names, d *pipeline.Dataset, o *pipeline.Object, accounts map[string]string) (n int64, err error) {
	shown := names.Shown(o)
	in := scanners.Input{
		Name: shown, Ext: scanners.Ext(o.Key), Size: o.Size, Every: true,
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
		Open:   openObject(store, o.Ref),
	}
	format := d.Format
	if format == "auto" {
		if format, err = detectFormat(ctx, in); err != nil {
			return 0, discreet(shown, err)
		}
	}
	scanner := formats()[format]
	if scanner == nil || format == "text" || format == "media" {
		return 0, fmt.Errorf("%s: records of format %q have no fields", shown, format)
	}
	var wrong error // with a record
	stats, err := scanner.Scan(ctx, in, scanners.Nothing{}, func(r *scanners.Record) error {
		for _, leaf := range r.Leaves {
			if leaf.Path == d.Business.Field && len(leaf.Value) > 0 {
				n++
			}
		}
		account, code := record.Account(r, d, o, accounts)
		if code != "" {
			return nil // the run says so: of an account that nobody knows no request is searched for
		}
		wrong = a.pool.Add(account, r, d, a.cfg.Policy.DefaultRegion)
		return wrong
	})
	switch {
	case wrong != nil:
		return 0, fmt.Errorf("%s: %w", shown, wrong)
	case err != nil:
		return 0, discreet(shown, err)
	case stats.Malformed > 0:
		return 0, &scanners.Refusal{Code: scanners.Malformed, Name: shown, Err: errors.New(pipeline.Count(stats.Malformed, "record", "records") + " cannot be parsed")}
	}
	return n, nil
}
