package meta

import "errors"

// What Apply answers to a command that does not fit the image.
var (
	ErrTopicExists       = errors.New("topic already exists")
	ErrUnknownTopic      = errors.New("topic does not exist")
	ErrInvalidTopic      = errors.New("topic name is invalid")
	ErrInvalidPartitions = errors.New("number of partitions is invalid")
	ErrInvalidAssignment = errors.New("replica assignment is invalid")
	ErrReplicationFactor = errors.New("replication factor is invalid")
	ErrStaleBroker       = errors.New("broker epoch is stale")
	ErrDuplicateBroker   = errors.New("another live broker has this id")
	ErrUnknownBroker     = errors.New("broker is not registered")
	ErrUnknownCommand    = errors.New("command is unknown to this version")
)
