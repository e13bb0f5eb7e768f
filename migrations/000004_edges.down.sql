DROP TABLE edge_ack, edge;
