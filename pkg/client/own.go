package client

// describeReplicasKey is the first of the APIs that only brokerd has.
const describeReplicasKey = 10000
