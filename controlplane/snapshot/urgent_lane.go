package snapshot

import (
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func revocationEntry(r store.Revocation) (*Entry, error) {
	return newEntry(string(r.UID), string(r.UID), r.Urgent, &edgev1.Revocation{
		Uid: string(r.UID), Subject: r.Subject, Urgent: r.Urgent, ExpireTime: timestamppb.New(r.ExpireTime),
	})
}

// keyEntries are the keysets and assertion keys of one pool. A keyset's revision is the newest of its rows': the store
// stamps the siblings of a row that is dropped, so that the revision never goes back.
func keyEntries(k *poolKeys) ([]*Entry, error) {
	if k.data == nil {
		return nil, nil
	}
	var entries []*Entry
	for _, purpose := range []keyring.Purpose{keyring.Ticket, keyring.Redis, keyring.Login} {
		rows := k.byPurpose[purpose]
		if len(rows) == 0 {
			continue
		}
		plaintext, err := keyring.Keyset(rows)
		if err != nil {
			return nil, fmt.Errorf("merge the keys for %s: %w", purpose, err)
		}
		id := string(purpose)
		sealed, err := k.seal("Keyset", id, "keyset", plaintext)
		if err != nil {
			return nil, err
		}
		entry, err := newEntry(id, id, newestRevision(rows), &edgev1.Keyset{Purpose: id, Keyset: sealed})
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	for _, row := range k.byPurpose[keyring.Assertion] {
		message := &edgev1.AssertionKey{Kid: row.ID, PublicKey: row.Public, NotBefore: timestamppb.New(row.NotBefore)}
		// A retired key is only published: an edge that cannot sign with it cannot be made to.
		if row.State != keyring.Old {
			sealed, err := k.seal("AssertionKey", row.ID, "private_key", row.Secret)
			if err != nil {
				return nil, err
			}
			message.PrivateKey = sealed
		}
		entry, err := newEntry(row.ID, row.ID, row.Revision, message)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func newestRevision(rows []keyring.PoolKey) int64 {
	var newest int64
	for _, row := range rows {
		newest = max(newest, row.Revision)
	}
	return newest
}
