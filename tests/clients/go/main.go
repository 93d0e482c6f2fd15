// A program of a customer's: it is compiled against the client that is generated from the API's document, and never run.
package main

import (
	"context"
	"fmt"
	"os"

	"webrana-client-go/webrana"
)

type token string

func (t token) Bearer(context.Context, webrana.OperationName) (webrana.Bearer, error) {
	return webrana.Bearer{Token: string(t)}, nil
}

func (t token) APIKey(context.Context, webrana.OperationName) (webrana.APIKey, error) {
	return webrana.APIKey{}, fmt.Errorf("customers have no such key")
}

func serversWithTag(ctx context.Context, api *webrana.Client, tag string) error {
	answer, err := api.ListInstances(ctx, webrana.ListInstancesParams{Tag: webrana.NewOptString(tag)})
	if err != nil {
		return err
	}
	switch page := answer.(type) {
	case *webrana.InstancePageHeaders:
		for _, instance := range page.Response.Data {
			fmt.Println(instance.Hostname, instance.Status)
		}
		return nil
	default:
		return fmt.Errorf("refused: %T", answer)
	}
}

func main() {
	api, err := webrana.NewClient("http://localhost:3000", token(os.Getenv("WEBRANA_TOKEN")))
	if err == nil {
		err = serversWithTag(context.Background(), api, "env:prod")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
